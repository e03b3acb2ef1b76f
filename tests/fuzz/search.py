"""A search for an object that conversion loses something of: drawn objects, a seed, and a count of what was drawn."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from api.conversion.convert import MAPPINGS
from api.conversion.nested import ABSENT
from tests.builders.schema_strategy import leaves, objects, said, schema_of, specs
from tests.fuzz.lossless import edit_wins, hub_is_kept, spoke_is_kept

KINDS: Final = tuple(MAPPINGS)


class Start(StrEnum):
    """The version in which the drawn objects are written."""

    HUB = "v1beta1"
    SPOKE = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many objects were converted to and fro, and how many of them used each leaf and each edit."""

    leaves: Mapping[str, int]
    edits: Mapping[str, int]
    objects: int

    @property
    def rarest(self) -> tuple[int, str]:
        """The leaf that fewest objects used, or the field that fewest edited."""
        return min((count, name) for table in (self.leaves, self.edits) for name, count in table.items())


@dataclass(slots=True)
class _Counts:
    leaves: Counter[str] = field(default_factory=Counter)
    edits: Counter[str] = field(default_factory=Counter)
    objects: int = 0


def search(kind: str, start: Start, count: int, number: int, tick: Callable[[], None] = lambda: None) -> Tally:
    """Convert ``count`` drawn objects to the other version and back, edit them in between; ``number`` is the seed.

    Raises what hypothesis raises: the smallest object that breaks a promise.
    """
    counts = _Counts()
    mapping = MAPPINGS[kind]
    schema = _drawn_part(kind, start)

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(objects(kind, start), edits(kind))
    def check(obj: dict[str, Any], changes: dict[str, Any]) -> None:
        tick()
        counts.objects += 1
        counts.leaves.update(set(said(schema, obj)))
        if start is Start.HUB:
            hub_is_kept(mapping, obj)
            hub = obj
        else:
            hub = spoke_is_kept(mapping, obj)
        counts.edits.update(edit_wins(mapping, hub, changes))

    check()
    used = {leaf: counts.leaves[leaf] for leaf in leaves(schema)}
    edited = {row.field: counts.edits[row.field] for row in mapping.rows}
    return Tally(used, edited, counts.objects)


def _drawn_part(kind: str, start: Start) -> dict[str, Any]:
    schema = schema_of(kind, start)
    return schema | {"properties": {part: schema["properties"][part] for part in ("spec", "status")}}


def edits(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """New values for up to eight flat fields, as another object has them; ABSENT where that has none."""
    required = set(schema_of(kind, "v1alpha1")["properties"]["spec"].get("required", ()))
    fields = st.sets(st.sampled_from([row.field for row in MAPPINGS[kind].rows]), max_size=8)

    def values(drawn: tuple[dict[str, Any], set[str]]) -> dict[str, Any]:
        other, names = drawn
        return {name: other.get(name, ABSENT) for name in sorted(names) if name in other or name not in required}

    return st.tuples(specs(kind, "v1alpha1"), fields).map(values)
