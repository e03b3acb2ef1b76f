"""``memoryGB``: GiB as decimal text, and the hub's quantity.

A quantity in Gi is the same text with the unit. Another unit is shown in GiB, rounded up to nine digits after the
point (about a byte), and keeps its exact text in the stash.
"""

import re
from typing import Any, Final

from api.conversion.nested import ABSENT
from api.quantity import GIB, QuantityError, parse_quantity
from api.v1alpha1.inference_service import GIB_PATTERN

_DIGITS: Final = 9
_GIB: Final = re.compile(GIB_PATTERN.strip("^$"))


def quantity_of(gib: Any) -> Any:
    """``"24.5"`` -> ``"24.5Gi"``."""
    return f"{gib}Gi"


def gib_of(quantity: Any) -> Any:
    """``"24.5Gi"`` -> ``"24.5"``, ``"512Mi"`` -> ``"0.5"``; ABSENT for what is no quantity, or too long a number."""
    text = str(quantity).removesuffix("Gi")
    if text == quantity:
        text = _rounded_up(text)
    return text if _GIB.fullmatch(text) else ABSENT


def _rounded_up(quantity: str) -> str:
    try:
        scaled = -(-parse_quantity(quantity) * 10**_DIGITS // GIB)
    except QuantityError:
        return ""
    whole, fraction = divmod(scaled, 10**_DIGITS)
    return f"{whole}.{fraction:0{_DIGITS}d}".rstrip("0").rstrip(".")
