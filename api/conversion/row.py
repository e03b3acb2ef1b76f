"""One line of the mapping: a flat field, the hub's place for it, and how values go over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.conversion.nested import ABSENT, Path


def same(value: Any) -> Any:
    """The value as it is."""
    return value


@dataclass(frozen=True, slots=True)
class Row:
    """A flat field and its place in the hub.

    ``to_hub`` and ``to_spoke`` take a value that is there; either gives ABSENT for what the other side cannot say.
    ``exact`` means that the rows of this place say all that it can hold: such a place is never taken from the stash.
    ``merge(kept, given)`` writes what the flat fields give, after an edit, into what was kept in the stash; without it
    what they give replaces what was kept. ``unit`` and ``rounding`` are for the documentation.
    """

    field: str
    path: Path
    to_hub: Callable[[Any], Any] = same
    to_spoke: Callable[[Any], Any] = same
    exact: bool = True
    merge: Callable[[Any, Any], Any] | None = None
    unit: str = ""
    rounding: str = "none"


def row(field: str, place: str, **how: Any) -> Row:
    """A row whose place is written with dots."""
    return Row(field, tuple(place.split(".")), **how)


def known(table: dict[str, str], value: Any) -> Any:
    """``table[value]``, or ABSENT for any other value, of whatever type."""
    return table.get(value, ABSENT) if isinstance(value, str) else ABSENT
