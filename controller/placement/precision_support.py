"""Which GPUs serve the precision that a claim is for, by the names of their products.

Nothing is held against a product that no table knows, nor asked for a claim that names no precision.
"""

from collections.abc import Iterable
from functools import lru_cache

from controller.gpu.product import PRODUCTS
from controller.sizing.engine_support import obstacles
from controller.sizing.precision import Precision


@lru_cache(maxsize=256)
def obstacle_on(product: str, precision: Precision | None) -> str:
    """Why the engine does not run on the product in a resolved precision, and what helps; "" where it does."""
    if precision is None or product not in PRODUCTS:
        return ""
    return obstacles((PRODUCTS[product],), precision)


def obstacle_on_all(products: Iterable[str], precision: Precision | None) -> str:
    """Why none of the products will do, told of the newest of them; "" where one does, or where there are none."""
    names = sorted(set(products))
    if not names or precision is None or not all(obstacle_on(name, precision) for name in names):
        return ""
    newest = max(names, key=lambda name: PRODUCTS[name].gfx_version)
    return f"no GPU here ({', '.join(names)}) serves {precision}: {obstacle_on(newest, precision)}"
