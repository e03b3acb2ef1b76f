"""Each fault of the simulated node as AMD's library shows it: a row a fault."""

from collections.abc import Callable, Mapping

from controller.agent.simulated_faults import Call, Fault, ScriptedFault
from controller.agent.simulated_seed import seeded_gpus
from controller.gpu.mode import Mode
from controller.gpu.product import product_named
from tests.stubs.amdsmi.node import ALWAYS, HANGS, RELOAD, SET_MEMORY, SET_PROFILE, StubNode

_CALLS = {Call.SET_MEMORY_MODE: SET_MEMORY, Call.RELOAD_DRIVER: RELOAD, Call.SET_COMPUTE_MODE: SET_PROFILE}


def befall(node: StubNode, fault: ScriptedFault) -> None:
    """Write the fault into the node. One that strikes must name its call."""
    IN_THE_LIBRARY[fault.fault](node, fault, fault.gpu or _last(node))


def _status(code: int) -> Callable[[StubNode, ScriptedFault, str], None]:
    def write(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
        assert fault.call is not None
        node.faults.append((_CALLS[fault.call], fault.gpu or "*", code, fault.times or ALWAYS))

    return write


def _option(name: str) -> Callable[[StubNode, ScriptedFault, str], None]:
    return lambda node, fault, bdf: node.options.update({name: 1})


def _not_kept(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
    compute = fault.call is Call.SET_COMPUTE_MODE
    node.options["forgets_compute_sets" if compute else "forgets_memory_sets"] = 1


def _lost(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
    node.lost_on_reload = bdf


def _memory_errors(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
    node.ecc[bdf] = (12, 2, 1)


def _foreign(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
    node.processes.append((bdf, 66666, "foreign"))


def _not_told(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
    node.holes += [(f"amdsmi_get_gpu_{call}", bdf, -1) for call in ("activity", "metrics_info")]
    node.faults += [(f"amdsmi_get_gpu_{call}", bdf, 2, ALWAYS) for call in ("vram_usage", "total_ecc_count")]


def _mode_not_told(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
    node.holes += [(f"amdsmi_get_gpu_{kind}_partition", bdf, -1) for kind in ("compute", "memory")]


def _missing(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
    count = product_named(node.product).partition_count(Mode.parse(node.mode).compute)
    node.holes.append(("partition", bdf, count - 1))


def _by_kfd_alone(node: StubNode, fault: ScriptedFault, bdf: str) -> None:
    """The library sees nothing of it."""


IN_THE_LIBRARY: Mapping[Fault, Callable[[StubNode, ScriptedFault, str], None]] = {
    Fault.BUSY: _status(30),
    Fault.NOT_PERMITTED: _status(10),
    Fault.RESTART_FAILED: _status(54),
    Fault.SETTING_UNAVAILABLE: _status(55),
    Fault.RELOAD_HANGS: _status(HANGS),
    Fault.RELOAD_FAILS_HALF_WAY: _option("reload_ends_half_way"),
    Fault.MODE_NOT_KEPT: _not_kept,
    Fault.GPU_LOST: _lost,
    Fault.MEMORY_ERRORS: _memory_errors,
    Fault.FOREIGN_PROCESS: _foreign,
    Fault.NOT_TOLD: _not_told,
    Fault.MODE_NOT_TOLD: _mode_not_told,
    Fault.COUNTS_DIFFER: _by_kfd_alone,
    Fault.PARTITION_MISSING: _missing,
}


def _last(node: StubNode) -> str:
    return seeded_gpus(node.gpus, product_named(node.product))[-1].bdf
