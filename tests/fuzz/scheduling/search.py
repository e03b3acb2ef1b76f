"""A search for an order of events under which the scheduler breaks its word: so many histories, a seed, and counts."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.scheduling.machine import Scheduling

STEPS: Final = 30
"""Rules in one history, and then the end of it."""
BATCH: Final = 100
"""Histories of one draw: a generator begins small, and each draw has a seed of its own."""

EVENTS: Final = (
    "workload comes",
    "workload goes",
    "gang comes",
    "service of two partitions comes",
    "member of a share group comes",
    "pod of nobody comes",
    "pod ends",
    "pod is deleted",
    "claim is deleted",
    "claim is deleted before its device is given",
    "claim is touched",
    "plan is approved",
    "plan is deleted",
    "policy changes",
    "disruption budget changes",
    "agent is heard of",
    "agent works",
    "driver advertises",
    "partition breaks",
    "partition heals",
    "node changes",
    "node goes",
    "node comes back",
    "somebody else takes",
    "somebody else leaves",
    "controllers act",
    "Kubernetes schedules",
    "kubelets act",
    "watch shows some",
    "watch shows all",
    "watch breaks",
    "watch repeats",
    "cycle decides",
    "reconcile begins",
    "request: done",
    "request: done, and the answer is lost",
    "request: nobody answers",
    "operator restarts",
    "time passes",
    "all go on",
    "all but some go on",
    "time goes by for all",
)
"""What a search is to have done, each at least once."""
JUDGED: Final = (
    "decisions",
    "places written",
    "about to get",
    "gates opened",
    "gates of gangs opened",
    "quotas asked",
    "shares looked at",
    "plans begun",
    "operations ordered",
    "evictions for claims",
    "evictions for plans",
    "waiting at the end",
)
"""What it is to have come upon, each at least once."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many histories and steps there were, and how often each event happened and each thing was judged."""

    sequences: int
    steps: int
    events: Mapping[str, int]
    judged: Mapping[str, int]

    @property
    def missing(self) -> list[str]:
        """What never happened."""
        return [name for table in (self.events, self.judged) for name, count in table.items() if not count]


def search(
    count: int,
    number: int,
    tick: Callable[[int], None] = lambda _: None,
    goes_on: Callable[[], bool] = lambda: True,
    *,
    shrink: bool = True,
    batch: int = BATCH,
) -> Tally:
    """Draw `count` histories, fewer when `goes_on` says no between two draws; `number` is the seed.

    `tick` is told at each history how many there were. Raises what hypothesis raises: the smallest history under which
    something is violated.
    """
    drawn = _counting(tick)
    for first in range(0, count, batch):
        if not goes_on():
            break
        _draw(drawn, min(batch, count - first), number * 100_000 + first, shrink=shrink)
    events = {name: drawn.fired[name] for name in EVENTS}
    return Tally(drawn.sequences, drawn.steps, events, {name: drawn.judged[name] for name in JUDGED})


def _counting(tick: Callable[[int], None]) -> type[Scheduling]:
    """The machine with counts of its own."""

    class Drawn(Scheduling):
        fired: ClassVar[Counter[str]] = Counter()
        judged: ClassVar[Counter[str]] = Counter()

        def __init__(self) -> None:
            super().__init__()
            tick(type(self).sequences)

    return Drawn


def _draw(machine: type[Scheduling], count: int, number: int, *, shrink: bool) -> None:
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    drawing = settings(
        max_examples=count,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(seed(number)(machine), settings=drawing)
