"""What a joint choice of modes is asked: MI300X nodes unless said otherwise, claims sized in GiB."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from controller.gpu.mode import Mode
from controller.gpu.product import product_named
from controller.placement.demand import Resources
from controller.placement.layouts.problem import Batch, Choice, LayoutClaim, LayoutGpu, LayoutNode
from tests.builders.gpu import GIB, bdf

PLENTY = Resources(cpu_milli=192_000, memory_bytes=2304 * GIB, pods=110)
ONE_EACH = ("SPX/NPS1", "DPX/NPS2", "QPX/NPS4", "CPX/NPS4")


def offer(mode: str, product: str = "MI300X", free: int | None = None) -> Choice:
    """What a GPU offers in a mode, all partitions free unless said otherwise."""
    facts, parsed = product_named(product), Mode.parse(mode)
    whole = facts.partition_count(parsed.compute)
    return Choice(parsed, facts.partition_bytes(parsed), whole if free is None else free)


def layout_node(
    name: str = "worker-0",
    gpus: int = 1,
    now: str = "SPX/NPS1",
    *,
    modes: Sequence[str] = ("SPX/NPS1", "DPX/NPS1", "QPX/NPS1", "CPX/NPS1"),
    product: str = "MI300X",
    held: Mapping[int, int] | None = None,
    left: Resources = PLENTY,
    **fields: Any,
) -> LayoutNode:
    """A node whose GPUs may take the `modes`; `held` says of a GPU how many of its partitions are free."""
    others = tuple(offer(mode, product) for mode in modes if mode != now)
    found = tuple(
        LayoutGpu(bdf(number), offer(now, product, held[number]))
        if held and number in held
        else LayoutGpu(bdf(number), offer(now, product), others)
        for number in range(gpus)
    )
    values = {"reloads": not held} | fields
    return LayoutNode(name, found, left, **values)


def waiting(name: str, gib: float, count: int = 1, *, modes: Collection[str] = (), **fields: Any) -> LayoutClaim:
    """A claim of so many GiB a partition."""
    return LayoutClaim(f"team-a/{name}", int(gib * GIB), count, frozenset(map(Mode.parse, modes)), **fields)


def batch(*parts: LayoutNode | LayoutClaim) -> Batch:
    """Nodes and claims, in any order."""
    nodes = tuple(part for part in parts if isinstance(part, LayoutNode))
    return Batch(nodes, tuple(part for part in parts if isinstance(part, LayoutClaim)))
