"""Which products the engine runs on, and in which precisions.

vLLM names the GPUs it runs on by instruction set (``docs/getting_started/installation``: gfx90a, gfx942, gfx950 of the
Instinct ones). Eight-bit floats have been in the hardware since gfx942 (AMD's table of data types,
rocm.docs.amd.com; vLLM ``platforms/rocm.py``, ``supports_fp8``).
"""

from typing import Final

from controller.gpu.product import PRODUCTS, Product
from controller.sizing.precision import Precision

_GFX90A: Final = 90010
_GFX942: Final = 90402

ENGINE_PRODUCTS: Final = tuple(product for product in PRODUCTS.values() if product.gfx_version >= _GFX90A)
"""The products that vLLM runs on, in the order of the products' table."""


def runs(product: Product, precision: Precision) -> bool:
    """Whether the engine runs on the product in a resolved precision."""
    least = _GFX942 if precision is Precision.FP8 else _GFX90A
    return product.gfx_version >= least
