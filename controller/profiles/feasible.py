"""The ways to hold a model: each mode of each product once."""

from collections.abc import Sequence
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


def feasible(
    sizes: ModelSizingConfig, request: SizingRequest, products: Sequence[Product], count: int | None = None
) -> tuple[Feasible, ...]:
    """The modes of ``products`` that hold ``request``, in their order.

    Without ``count`` they are those that sizing proposes: on one partition where that is possible on a product, else
    on as few as will do. With it, those in which just so many hold it. Raises what ``ModelSizingConfig.size`` raises.
    """
    asked = request if count is None else replace(request, tensor_parallel=count)
    fits = sizes.calculate_optimal_partitions(asked, products)
    counts = {(fit.product, fit.mode): fit.count for fit in fits if _wanted(fit.count, count)}
    return tuple(
        Feasible(product, mode, counts[product.name, mode])
        for product in products
        for mode in product.allowed
        if (product.name, mode) in counts
    )


def _wanted(found: int, asked: int | None) -> bool:
    return found <= MOST_DEVICES and asked in (None, found)
