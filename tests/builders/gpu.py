"""GPUs and partitions as placement sees them: an MI300X unless said otherwise."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.gpu.product import product_named
from controller.placement.snapshot import Gpu, Holder, Partition

GIB = 1 << 30
OURS = Holder("ours", "team-b/aim-other")
FOREIGN = Holder("foreign", "team-c/secret-claim")


def bdf(number: int) -> str:
    """The PCI address of the GPU with that number on its node."""
    return f"0000:{number + 1:02x}:00.0"


def device_name(number: int, index: int) -> str:
    """The device's name in a ResourceSlice, distinct on its node."""
    return f"gpu-{number}-{128 + number * 8 + index}"


def gpu(
    number: int = 0,
    mode: str = "CPX/NPS4",
    *,
    product: str = "MI300X",
    holders: Mapping[int, Holder] | None = None,
    unhealthy: Collection[int] = (),
    allowed: Sequence[str] | None = None,
    validated: Sequence[str] | None = None,
    plan: str | None = None,
    hive: int | None = None,
) -> Gpu:
    """GPU `number` of a node in `mode`; `holders` and `unhealthy` go by partition index."""
    facts, now = product_named(product), Mode.parse(mode)
    return Gpu(
        bdf=bdf(number),
        product=product,
        mode=now,
        partitions=tuple(
            Partition(
                id=PartitionId(bdf(number), index),
                device=device_name(number, index),
                render_index=128 + number * 8 + index,
                bytes=facts.partition_bytes(now),
                compute_units=facts.partition_compute_units(now),
                healthy=index not in unhealthy,
                holder=(holders or {}).get(index),
            )
            for index in range(facts.partition_count(now.compute))
        ),
        allowed=facts.allowed if allowed is None else tuple(map(Mode.parse, allowed)),
        validated=facts.validated if validated is None else frozenset(map(Mode.parse, validated)),
        plan=plan,
        hive=hive,
    )


def busy(number: int = 0, mode: str = "CPX/NPS4", holder: Holder = OURS) -> Gpu:
    """A GPU whose first partition somebody holds."""
    return gpu(number, mode, holders={0: holder})


def full(number: int = 0, mode: str = "CPX/NPS4", holder: Holder = OURS) -> Gpu:
    """A GPU whose every partition somebody holds."""
    idle = gpu(number, mode)
    return replace(idle, partitions=tuple(replace(partition, holder=holder) for partition in idle.partitions))


def with_partition(whole: Gpu, index: int, **changes: Any) -> Gpu:
    """The GPU with fields of one partition replaced."""
    return replace(
        whole,
        partitions=tuple(replace(one, **changes) if one.id.index == index else one for one in whole.partitions),
    )
