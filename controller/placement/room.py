"""What a node could give if nobody were there: its GPUs in whatever modes they can be put into."""

from collections import Counter
from collections.abc import Iterator

from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import UnknownProduct, product_named
from controller.placement.demand import Requirement
from controller.placement.precision_support import obstacle_on
from controller.placement.snapshot import Gpu, Node


def could_hold(node: Node, requirement: Requirement) -> bool:
    """Whether the node's GPUs, all of them idle, could have the partitions that are asked for, of one product and mode.

    What policies allow is not asked: they can be changed, and a GPU cannot.
    """
    found: Counter[tuple[str, Mode]] = Counter()
    for gpu in node.gpus:
        if obstacle_on(gpu.product, requirement.precision):
            continue
        for mode in {gpu.mode, *gpu.allowed}:
            if not requirement.modes or mode in requirement.modes:
                found[gpu.product, mode] += sum(size >= requirement.bytes for size in sizes_in(gpu, mode))
    return any(count >= requirement.count for count in found.values())


def sizes_in(gpu: Gpu, mode: Mode) -> Iterator[int]:
    """Bytes of each partition of the GPU in the mode; none where no table has figures of a mode it is not in."""
    if mode == gpu.mode:
        yield from (partition.bytes for partition in gpu.partitions)
        return
    try:
        product = product_named(gpu.product)
        yield from [product.partition_bytes(mode)] * product.partition_count(mode.compute)
    except (UnknownProduct, ModeError):
        return
