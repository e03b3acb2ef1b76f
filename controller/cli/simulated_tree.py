"""`aim-gpu inventory --simulate`: a simulated node, written as the tree that its drivers would show below /sys."""

from pathlib import Path

from controller.agent.backend import BackendError
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_tree import write_tree
from controller.gpu.mode import Mode
from controller.runtime.clock import RealClock


class SimulationError(ValueError):
    """A node that cannot be simulated, or written there. The text names option, value and remedy."""


def write_simulated(text: str, gpus: int, into: Path) -> None:
    """Write a node of `gpus` GPUs, PRODUCT=MODE such as MI300X=CPX/NPS4, below a new or empty folder.

    Raises SimulationError.
    """
    node = _simulated(text, gpus)
    try:
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise SimulationError(f"--write-tree {into}: holds other files; give a new or an empty folder")
        write_tree(into, node.node())
    except OSError as error:
        raise SimulationError(f"--write-tree {into}: cannot be written ({error}); give another folder") from error


def _simulated(text: str, gpus: int) -> SimulatedBackend:
    product, separator, mode = text.partition("=")
    if not product or not separator:
        raise SimulationError(f"--simulate {text!r}: write PRODUCT=MODE, such as MI300X=CPX/NPS4")
    try:
        shape = SimulatedShape(Mode.parse(mode), gpus=gpus, product=product)
        return SimulatedBackend(shape, RealClock(), held=frozenset, used=dict)
    except (ValueError, BackendError) as error:
        raise SimulationError(f"--simulate {text!r}: {error}") from error
