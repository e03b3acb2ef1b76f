"""What is applied and what is expected of it, known before anything is built: the offline plan of the examples."""

from dataclasses import dataclass
from pathlib import Path

from controller.cli.documents import BadInput, files_of, read_documents
from controller.cli.offline_nodes import OfflineNode, default_nodes
from controller.cli.offline_plan import OfflinePlan, expect
from controller.cli.wanted import gather
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import ModelSizingConfig
from e2e.run.errors import ExampleError
from e2e.run.services import Wish, wishes


@dataclass(frozen=True, slots=True)
class Expectation:
    """The files to apply, the nodes to simulate, the services with their declared reasons, the offline plan."""

    files: tuple[Path, ...]
    nodes: tuple[OfflineNode, ...]
    wishes: tuple[Wish, ...]
    plan: OfflinePlan

    @property
    def modes(self) -> dict[str, str]:
        """The mode that each node begins in."""
        return {node.name: str(node.mode) for node in self.nodes}


def expectation(examples: Path) -> Expectation:
    """Read the examples. Raises ExampleError for what `aim-gpu plan` would refuse, or when no service is there."""
    try:
        files = files_of([examples])
        documents = read_documents(files)
        wanted = gather(documents)
    except BadInput as error:
        raise ExampleError(str(error)) from error
    found = wishes(document.obj for document in documents)
    if not found:
        raise ExampleError(f"{examples}: no InferenceService and no annotated Deployment is there; name another folder")
    nodes = default_nodes()
    return Expectation(tuple(files), nodes, found, expect(wanted, nodes, ModelSizingConfig(Catalog.bundled())))
