"""Which transitions of the table a running operator takes: every lookup of the table that a write then carries out."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias
from unittest.mock import patch

from controller.repartition import phases
from controller.repartition.phases import Event, Phase
from controller.state.kinds import REPARTITION_PLANS
from tests.fakes.store import FakeStore, Write

Key: TypeAlias = tuple[Phase, Event]


class Transitions(dict[Key, Phase]):
    """The table, with a memory. `taken` are the transitions of plans in order; `on_taken` hears of each at its write."""

    def __init__(self, table: Mapping[Key, Phase]) -> None:
        super().__init__(table)
        self.taken: list[Key] = []
        self.on_taken: Callable[[Key, str], None] = lambda key, plan: None
        self._looked_up: deque[Key] = deque(maxlen=16)

    def __getitem__(self, key: Key) -> Phase:
        found = super().__getitem__(key)
        self._looked_up.append(key)
        return found

    def heard(self, write: Write) -> None:
        """A write to the store; of a plan's status it may be what a lookup led to."""
        if write.resource != REPARTITION_PLANS or write.before is None or write.after is None:
            return
        before, after = _standing(write.before), _standing(write.after)
        if before == after:
            return
        for key in reversed(self._looked_up):
            if key[0] == before[0] and self.get(key) == after[0]:
                self._looked_up.clear()
                self.taken.append(key)
                self.on_taken(key, write.after["metadata"]["name"])
                return


def _standing(plan: dict[str, object]) -> tuple[Phase, int]:
    """Phase and number of its beginnings: a phase may be begun anew from itself."""
    status = plan.get("status") or {}
    assert isinstance(status, dict)
    phase = Phase(status.get("phase", Phase.PENDING))
    return phase, sum(step["name"] == phase.value for step in status.get("steps") or ())


@contextmanager
def recorded(store: FakeStore) -> Iterator[Transitions]:
    """Record what is taken within the block. There is one table, so there is one such block at a time."""
    table = Transitions(phases.TRANSITIONS)
    store.on_write.append(table.heard)
    with patch.object(phases, "TRANSITIONS", table):
        yield table
