"""Quantities of memory: ``"192Gi"`` on the wire, whole bytes in the program.

The forms taken are those of Kubernetes quantities that make sense for memory: a non-negative decimal number
with an optional binary (Ki Mi Gi Ti Pi) or decimal (k M G T P) suffix. Exponents and milli are left out.
"""

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from api.markers import Remedy, Rule, rules, with_value

QUANTITY_PATTERN: Final = r"^[0-9]{1,19}(\.[0-9]{1,9})?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$"

KIB: Final = 1024
MIB: Final = 1024**2
GIB: Final = 1024**3

_FACTORS: Final = {
    "": 1,
    "Ki": KIB,
    "Mi": MIB,
    "Gi": GIB,
    "Ti": 1024**4,
    "Pi": 1024**5,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
}
_BINARY: Final = ("Pi", "Ti", "Gi", "Mi", "Ki", "")
_TEXT: Final = re.compile(r"(?P<number>[0-9]{1,19}(?:\.[0-9]{1,9})?)(?P<suffix>[KMGTP]i|[kMGTP])?")

QuantityText = Annotated[
    str,
    StringConstraints(pattern=QUANTITY_PATTERN, max_length=32),
    Remedy(
        "is no amount of memory: write a number with an optional suffix Ki, Mi, Gi, Ti, Pi, k, M, G, T or P, such as "
        "24Gi"
    ),
]
"""An amount of memory as text, e.g. ``24Gi``."""

_NOTHING: Final = "is no memory: write more than 0, such as 24Gi"

PositiveQuantityText = Annotated[
    QuantityText,
    Field(
        json_schema_extra=rules(
            Rule("!isQuantity(self) || quantity(self).isGreaterThan(quantity('0'))", _NOTHING, with_value(_NOTHING))
        )
    ),
]
"""An amount of memory above zero."""

_CAP: Final = 2**63 - 1


class QuantityError(ValueError):
    """A text is no quantity of memory."""


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> int:
    """The bytes meant by ``text``; a fraction of a byte counts as a whole one, as in Kubernetes.

    Raises:
        QuantityError: the text has another form; the message names it and a remedy.
    """
    match = _matched(text)
    return ceil(Fraction(match["number"]) * _FACTORS[match["suffix"] or ""])


def _matched(text: str) -> re.Match[str]:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise QuantityError(
            f"quantity {text!r} is not an amount of memory: write a number with an optional suffix "
            "Ki, Mi, Gi, Ti, Pi, k, M, G, T or P, such as 24Gi"
        )
    return match


def capped_quantity(text: str) -> Fraction:
    """The amount as the API server compares it: with its fractions; with a binary suffix never above 2**63 - 1.

    Raises:
        QuantityError: the text has another form.
    """
    match = _matched(text)
    suffix = match["suffix"] or ""
    amount = Fraction(match["number"]) * _FACTORS[suffix]
    return min(amount, Fraction(_CAP)) if suffix.endswith("i") else amount


def format_bytes(count: int) -> str:
    """``count`` bytes as the shortest exact binary quantity, e.g. 25767706624 -> ``24574Mi``.

    Raises:
        QuantityError: the count is negative.
    """
    if count < 0:
        raise QuantityError(f"count {count} is negative: an amount of memory is zero or more bytes")
    if count == 0:
        return "0"
    suffix = next(suffix for suffix in _BINARY if count % _FACTORS[suffix] == 0)
    return f"{count // _FACTORS[suffix]}{suffix}"


def rounded_up(count: int) -> str:
    """``count`` bytes for people: whole Mi, rounded up.

    Raises:
        QuantityError: the count is negative.
    """
    return format_bytes(-(-count // MIB) * MIB)
