"""A node whose partitions claims hold, and these claims as occupants."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from controller.placement.demand import Resources
from controller.placement.occupant import Occupant
from controller.placement.snapshot import Gpu, Holder, Node, PolicyView
from tests.builders.gpu import gpu
from tests.builders.node import node
from tests.builders.occupant import occupant

ONE_POD = Resources(cpu_milli=1000, pods=1)


def held_by(whole: Gpu, *occupants: Occupant | Holder | None, resources: Resources = ONE_POD) -> Gpu:
    """The GPU with its partitions held in that order; None leaves one free, one occupant may have several."""
    holders = [each if each is None or isinstance(each, Holder) else Holder("ours", each.key, resources)
               for each in occupants]  # fmt: skip
    rest = whole.partitions[len(holders) :]
    held = [replace(one, holder=holder) for one, holder in zip(whole.partitions, holders, strict=False)]
    return replace(whole, partitions=(*held, *rest))


def on_gpu(whole: Gpu, name: str, *priorities: int | None, **fields: Any) -> tuple[Gpu, list[Occupant]]:
    """The GPU held by one claim a priority, and the claims; None leaves a partition free."""
    size = whole.partitions[0].bytes
    found = [
        None if priority is None else occupant(f"{name}-{n}", priority=priority, bytes=size, **fields)
        for n, priority in enumerate(priorities)
    ]
    return held_by(whole, *found), [each for each in found if each is not None]


def occupied(
    name: str = "worker-0",
    *priorities: int | None,
    mode: str = "QPX/NPS1",
    policy: PolicyView | None = None,
    used: Resources | None = None,
    **fields: Any,
) -> tuple[Node, list[Occupant]]:
    """A node of one GPU held by one claim a priority, and the claims; what these have counts as claimed."""
    whole, found = on_gpu(gpu(0, mode), name, *priorities, node=name, **fields)
    host = node(name, whole, policy=policy, claimed=claimed(found), used=used or taken(found))
    return host, found


def claimed(occupants: Iterable[Occupant]) -> dict[str, int]:
    """Bytes by namespace."""
    total: dict[str, int] = {}
    for each in occupants:
        total[each.namespace] = total.get(each.namespace, 0) + each.bytes
    return total


def taken(occupants: Sequence[Occupant]) -> Resources:
    """What their pods take of the node."""
    return Resources(ONE_POD.cpu_milli * len(occupants), 0, len(occupants))
