"""What is applied and what is expected of it, known before anything is built: the offline plan of the examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.cli.documents import BadInput, files_of, read_documents
from controller.cli.offline_nodes import OfflineNode, default_nodes
from controller.cli.offline_plan import OfflinePlan, expect
from controller.cli.wanted import gather
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from e2e.run.errors import ExampleError
from e2e.run.services import DEPLOYMENT, Wish, wishes
from e2e.run.world import Object, key_of

_KSERVE_GROUP = "serving.kserve.io"


@dataclass(frozen=True, slots=True)
class Expectation:
    """The objects to apply, the nodes to simulate, the services with their declared reasons, the offline plan.

    `left_out` are the services that need KServe, where it is not there.
    """

    objects: tuple[Object, ...]
    nodes: tuple[OfflineNode, ...]
    wishes: tuple[Wish, ...]
    plan: OfflinePlan
    kserve: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def namespaces(self) -> set[str]:
        """Those of the services."""
        return {wish.key.partition("/")[0] for wish in self.wishes}

    @property
    def asked(self) -> frozenset[str]:
        """The services that the gateway serves: InferenceServices, and Deployments with a Service of their name."""
        fronts = {key_of(obj) for obj in self.objects if (obj["apiVersion"], obj["kind"]) == ("v1", "Service")}
        return frozenset(wish.key for wish in self.wishes if wish.kind != DEPLOYMENT or wish.key in fronts)

    @property
    def modes(self) -> dict[str, str]:
        """The mode that each node begins in."""
        return {node.name: str(node.mode) for node in self.nodes}


def expectation(examples: Path, *, kserve: bool = False, nodes: Sequence[OfflineNode] | None = None) -> Expectation:
    """Read the examples. Without `kserve` its kinds are left out. `nodes` None: the default ones.

    Raises ExampleError for what `aim-gpu plan` would refuse, or when no service is there.
    """
    try:
        read = read_documents(files_of([examples]))
        documents = [document for document in read if kserve or document.group != _KSERVE_GROUP]
        wanted = gather(documents)
    except BadInput as error:
        raise ExampleError(str(error)) from error
    found = wishes(document.obj for document in documents)
    if not found:
        raise ExampleError(f"{examples}: no InferenceService and no annotated Deployment is there; name another folder")
    nodes = tuple(default_nodes() if nodes is None else nodes)
    return Expectation(
        objects=tuple(document.obj for document in documents),
        nodes=nodes,
        wishes=found,
        plan=expect(wanted, nodes, Models(Catalog.bundled(), wanted.profiles)),
        kserve=kserve,
        left_out=tuple(f"{document.namespace}/{document.name}" for document in read if document not in documents),
    )
