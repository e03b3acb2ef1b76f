"""The ways to hold a model: each mode of each product once, on as few partitions as will do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from controller.gpu.mode import Mode
from controller.gpu.product import Product
from controller.profiles.aim_profile import MOST_DEVICES
from controller.sizing.requirement import ModelSizingConfig, SizingRequest


@dataclass(frozen=True, slots=True)
class Feasible:
    """``count`` partitions of a product in a mode hold the model, one rank of tensor parallelism on each."""

    product: Product
    mode: Mode
    count: int

    @property
    def partition_bytes(self) -> int:
        """Bytes of one partition, by the product's table."""
        return self.product.partition_bytes(self.mode)


COUNTS = tuple(2**power for power in range(MOST_DEVICES.bit_length()))
"""1, 2, 4 and 8 ranks: what AIM's profiles know."""


def feasible(
    sizes: ModelSizingConfig, request: SizingRequest, products: Iterable[Product], count: int | None = None
) -> Iterator[Feasible]:
    """Every mode of ``products`` that holds ``request``, in their order; on ``count`` partitions if that is given."""
    counts = COUNTS if count is None else (count,)
    needs = [(ranks, sizes.size(replace(request, tensor_parallel=ranks)).total_bytes) for ranks in counts]
    for product in products:
        for mode in product.allowed:
            held = [ranks for ranks, need in needs if need <= product.partition_bytes(mode)]
            if held:
                yield Feasible(product, mode, held[0])
