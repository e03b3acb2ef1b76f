"""What simulated partitions and GPUs do: made up, from partition and bytes in use alone, so that it can be foretold.

Nothing of it was measured. The figures move as a real GPU's would, more heat and power with more work, so that
dashboards and alerts have something to show; whoever reads them is told that the node is simulated.
"""

from collections.abc import Sequence
from zlib import crc32

from controller.agent.backend import HOTSPOT, MEMORY, GpuUse
from controller.gpu.identity import PartitionId

_LEAST_BUSY = 0.35
_BUSY_SPAN = 0.5

# Of the order of an MI300X: its board power is 750 W (AMD's specifications), it throttles at 100 degrees.
_IDLE_WATTS, _WORKING_WATTS = 140, 610
_IDLE_DEGREES, _WORKING_DEGREES = 38, 47
_MEMORY_COOLER_DEGREES = 4


def busy_share(partition: PartitionId, used_bytes: int) -> float:
    """The busy share of a partition with so much in use, 0 to 1."""
    if not used_bytes:
        return 0.0
    share = crc32(f"{partition}:{used_bytes}".encode()) / 2**32
    return round(_LEAST_BUSY + _BUSY_SPAN * share, 4)


def gpu_use(shares: Sequence[float]) -> GpuUse:
    """What a GPU does whose partitions have these busy shares. Whole degrees and watts, as real ones tell."""
    load = sum(shares) / len(shares) if shares else 0.0
    hotspot = round(_IDLE_DEGREES + _WORKING_DEGREES * load)
    temperatures = {HOTSPOT: float(hotspot), MEMORY: float(hotspot - _MEMORY_COOLER_DEGREES)}
    return GpuUse(temperatures, float(round(_IDLE_WATTS + _WORKING_WATTS * load)))


IDLE = gpu_use(())
"""What every GPU does that nobody uses."""

UNTOLD = GpuUse({}, None)
"""What a GPU tells that answers N/A."""
