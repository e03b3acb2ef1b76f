"""The products that ``aim-gpu profiles`` is asked for by name."""

from collections.abc import Sequence

from controller.gpu.product import Product, product_named
from controller.sizing.engine_support import ENGINE_PRODUCTS, obstacle
from controller.sizing.precision import Precision


class NoEngine(ValueError):
    """A product that the engine does not run on. The text says why, and names those it does."""


def engine_products(names: Sequence[str] | None) -> tuple[Product, ...]:
    """The products of that name, in the table's order; all of the engine's without one.

    Raises UnknownProduct, and NoEngine when the engine does not run on one.
    """
    named = {product_named(name) for name in names or ()}
    for product in named - set(ENGINE_PRODUCTS):
        usable = ", ".join(each.name for each in ENGINE_PRODUCTS)
        raise NoEngine(f"{obstacle(product, Precision.BF16)}: use one of {usable}")
    return tuple(product for product in ENGINE_PRODUCTS if product in named) if named else ENGINE_PRODUCTS
