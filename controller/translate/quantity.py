"""Kubernetes quantities of pods and nodes in the units that placement counts in."""

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

_FORM = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}

#: Texts remembered: a cluster's pods ask for the same few amounts, and reading one takes 3 us.
_REMEMBERED = 1024


@lru_cache(_REMEMBERED)
def cpu_milli(quantity: str | float) -> int:
    """CPU in thousandths of a core, rounded up as the scheduler does. Raises ValueError for other text."""
    return _ceiling(_value(str(quantity)) * 1000)


@lru_cache(_REMEMBERED)
def memory_bytes(quantity: str | float) -> int:
    """Memory in bytes, rounded up. Raises ValueError for text that is no quantity."""
    return _ceiling(_value(str(quantity)))


def _value(text: str) -> Decimal:
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"quantity {text!r} is not understood; write e.g. 500m, 2 or 4Gi")
    number, exponent, suffix = match.groups()
    if exponent:
        return Decimal(number + exponent)
    if suffix in _BINARY:
        return Decimal(number) * Decimal(2 ** _BINARY[suffix])
    return Decimal(number).scaleb(_DECIMAL.get(suffix or "", 0))


def _ceiling(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_CEILING))
