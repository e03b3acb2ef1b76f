"""What GPUs and their partitions do at one moment, and who holds them: what metrics and charging are made of.

Plain records: the agent fills them, the exporter makes rows of them. What is not known is None, or missing from its
mapping: 0 would be a statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PartitionFigures:
    """One partition. Bytes; `busy` 0 to 1; texts are "" where nobody holds it, or what they name is not known.

    `total_bytes`: all there is. `allocated_bytes`: what its claim was sized at, all of it where the claim is not ours,
    0 where it is free. `used_bytes`, `busy`: what the device reports. `mode` is "" when it cannot be read.
    """

    node: str
    gpu: str
    partition: int
    mode: str
    namespace: str
    claim: str
    pod: str
    service: str
    model: str
    total_bytes: int | None
    allocated_bytes: int | None
    used_bytes: int | None
    busy: float | None
    healthy: bool


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """One GPU, all its partitions together. `temperatures`: degrees Celsius by sensor; `errors`: by severity.

    `processes`: how many others have it open. `missing_partitions`: those its mode has and its driver does not show.
    """

    node: str
    gpu: str
    product: str
    mode: str
    missing_partitions: int
    processes: int | None = None
    power_watts: float | None = None
    temperatures: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """One node. `backend`: where the figures come from; `readable`: None before the first try to read the GPUs.

    `driver` is "" where it is not known. GPUs whose partitions are being changed are left out.
    """

    node: str
    backend: str
    simulated: bool
    driver: str
    readable: bool | None
    gpus: tuple[GpuFigures, ...] = ()
    partitions: tuple[PartitionFigures, ...] = ()


@dataclass(frozen=True, slots=True)
class Holding:
    """A partition that somebody holds. `bytes`: all its memory, None where that is not told."""

    namespace: str
    service: str
    model: str
    bytes: int | None
