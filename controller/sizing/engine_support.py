"""Which products the engine runs on, and in which precisions.

vLLM names the GPUs it runs on by instruction set (``docs/getting_started/installation``: gfx90a, gfx942, gfx950 of the
Instinct ones). Eight-bit floats have been in the hardware since gfx942 (AMD's table of data types,
rocm.docs.amd.com; vLLM ``platforms/rocm.py``, ``supports_fp8``). NVIDIA's four-bit floats are in none of it: vLLM
emulates them on gfx942 and gfx950 (pull requests 35733 and 35737 of 2026), which unpacks the weights in each step, is
slow, and takes memory that no formula here has: up to pull request 44667 all experts of a layer in 16 bit.
"""

from collections.abc import Iterable
from typing import Final

from controller.gpu.product import PRODUCTS, Product
from controller.sizing.precision import Precision

_GFX90A: Final = 90010
_GFX942: Final = 90402

ENGINE_PRODUCTS: Final = tuple(product for product in PRODUCTS.values() if product.gfx_version >= _GFX90A)
"""The products that vLLM runs on, in the order of the products' table."""


def runs(product: Product, precision: Precision) -> bool:
    """Whether the engine runs on the product in a resolved precision."""
    return not obstacle(product, precision)


def obstacle(product: Product, precision: Precision) -> str:
    """Why the engine does not run on the product in a resolved precision, as a clause; "" where it does."""
    if product.gfx_version < _GFX90A:
        return f"vLLM does not run on {_gfx(product)}, which the {product.name} is"
    if precision is Precision.NVFP4:
        return f"{precision} is in no AMD GPU's hardware, and vLLM's emulation of it is slow and its memory not known"
    if precision is Precision.FP8 and product.gfx_version < _GFX942:
        return f"{precision} needs gfx942 or newer, and the {product.name} is {_gfx(product)}"
    return ""


def obstacles(products: Iterable[Product], precision: Precision) -> str:
    """Why the engine runs on none of the products in that precision, and the remedy; "" where it runs on one."""
    asked = tuple(products)
    if not all(found := [obstacle(product, precision) for product in asked]):
        return ""
    others = any(runs(product, Precision.BF16) for product in asked)
    told = "; ".join(dict.fromkeys(found))
    if others and precision is Precision.NVFP4:
        return f"{told}: serve a copy of the model in fp8 or mxfp4, or the model it was made from"
    return f"{told}: choose another product{' or precision' if others else ''}"


def _gfx(product: Product) -> str:
    """The instruction set as vLLM and the compiler name it: major, minor and, in hexadecimal, stepping."""
    major, rest = divmod(product.gfx_version, 10_000)
    return f"gfx{major}{rest // 100}{rest % 100:x}"
