"""Each metric's name, unit and meaning, once.

OpenTelemetry's Prometheus exporter appends the unit and `_total`: `aim_gpu_partition_memory` in bytes becomes
`aim_gpu_partition_memory_bytes`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric as declared to OpenTelemetry."""

    name: str
    unit: str
    description: str


PARTITION_MEMORY = Instrument(
    "aim_gpu_partition_memory",
    "By",
    "Memory of a GPU partition by type: total, allocated (what its claim was sized at), used (what the device reports)",
)
PARTITION_UTILIZATION = Instrument(
    "aim_gpu_partition_utilization", "1", "Busy share of a GPU partition's compute units, 0 to 1"
)
PARTITION_CLAIMS = Instrument(
    "aim_partition_claims",
    "{claim}",
    "Claims that have a GPU partition, by isolation: what keeps each model apart from its neighbours on the GPU",
)
SCHEDULER_OPERATIONS = Instrument(
    "aim_scheduler_operations", "1", "Operations of the model scheduler by kind and result"
)
