"""Which partitions can be used, and what is wrong with the others. Pure: hardware in, verdicts out, no I/O.

Rules look at one GPU each, in order; all that apply are told. Only some of them make its partitions unhealthy: seven
of eight partitions serve as well as before, a GPU that lost data does not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controller.agent.backend import BackendError, HardwareGpu, HardwarePartition, NodeHardware

HOST_LIMIT = 64
"""Partition devices that the driver makes on one host, whole GPUs counted."""

PROBLEM_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class GpuHealth:
    """The verdict on one GPU. `usable`: whether its partitions may be; `problem` "" when there is none."""

    usable: bool
    problem: str = ""

    def covers(self, partition: HardwarePartition) -> bool:
        """Whether that partition can be used."""
        return self.usable and partition.healthy


@dataclass(frozen=True, slots=True)
class _Finding:
    """Something wrong. `serious`: nothing may be placed on that GPU."""

    text: str
    serious: bool


_Rule = Callable[[HardwareGpu, NodeHardware], _Finding | None]


def gpu_health(gpu: HardwareGpu, node: NodeHardware, unread: BackendError | None) -> GpuHealth:
    """The verdict on a GPU of `node`. `unread`: why the hardware cannot be read now; what is known of it is old."""
    if unread is not None:
        return GpuHealth(usable=False, problem=_cut(f"not readable now: {unread}"))
    found = list(_findings(gpu, node))
    return GpuHealth(
        usable=not any(finding.serious for finding in found), problem=_cut("; ".join(finding.text for finding in found))
    )


def missing_partitions(node: NodeHardware) -> str:
    """How many partitions of the node the driver shows, with the remedy; "" when none is missing."""
    return missing_of(sum(len(gpu.partitions) for gpu in node.gpus), sum(gpu.missing_partitions for gpu in node.gpus))


def missing_of(there: int, missing: int) -> str:
    """What it means that a node shows `there` partitions and not the `missing` ones; "" when none is missing."""
    if not missing:
        return ""
    counted = f"{there} of the node's {there + missing} partitions are there"
    if (there, missing) != (HOST_LIMIT - 1, 1):
        return f"{counted}: reload the amdgpu driver, and look for its errors in the kernel's log"
    return (
        f"{counted}: the driver makes {HOST_LIMIT} devices a host, and the BMC's display driver `ast` can hold one of "
        "them: unload it (modprobe -r ast, and blacklist it), then reload the amdgpu driver"
    )


def _findings(gpu: HardwareGpu, node: NodeHardware) -> Iterator[_Finding]:
    return (finding for rule in _RULES if (finding := rule(gpu, node)) is not None)


def _sources_disagree(_gpu: HardwareGpu, node: NodeHardware) -> _Finding | None:
    if not node.disagreements:
        return None
    return _Finding("the sources of what the node is disagree: see condition Consistent", serious=True)


def _lost_data(gpu: HardwareGpu, _node: NodeHardware) -> _Finding | None:
    if gpu.ecc is None or not gpu.ecc.uncorrectable:
        return None
    return _Finding(
        f"{gpu.ecc.uncorrectable} uncorrectable memory errors since the driver was loaded: move its pods away, then "
        "reset the GPU (amd-smi reset --gpureset); replace it when they come back",
        serious=True,
    )


def _sick_partitions(gpu: HardwareGpu, _node: NodeHardware) -> _Finding | None:
    sick = [str(partition.id) for partition in gpu.partitions if not partition.healthy]
    if not sick:
        return None
    text = f"partitions {', '.join(sick)} do not answer as they should: reset the GPU (amd-smi reset --gpureset)"
    return _Finding(text, serious=False)


def _missing_partitions(gpu: HardwareGpu, node: NodeHardware) -> _Finding | None:
    if not gpu.missing_partitions:
        return None
    there = len(gpu.partitions)
    text = f"{there} of its {there + gpu.missing_partitions} partitions are there; {missing_partitions(node)}"
    return _Finding(text, serious=False)


def _unknown_mode(gpu: HardwareGpu, _node: NodeHardware) -> _Finding | None:
    if gpu.mode is not None:
        return None
    return _Finding(
        "its partition mode cannot be read, so that nothing is placed on it: look at current_compute_partition and "
        f"current_memory_partition of PCI device {gpu.bdf}",
        serious=False,
    )


_RULES: tuple[_Rule, ...] = (_sources_disagree, _lost_data, _sick_partitions, _missing_partitions, _unknown_mode)


def _cut(text: str) -> str:
    return text[:PROBLEM_CHARACTERS]
