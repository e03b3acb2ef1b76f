"""Dicts to structs: for objects that did not come straight from the wire, as a webhook's pod or a file's template."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def typed(obj: Mapping[str, Any], into: type[T]) -> T:
    """`obj`, as JSON has it, as `into`; unknown fields are dropped.

    Raises ValueError naming type and path of the first value that does not fit, and what was expected there.
    """
    try:
        return msgspec.convert(obj, into)
    except msgspec.ValidationError as error:
        raise ValueError(f"no {into.__name__}: {error}") from error
