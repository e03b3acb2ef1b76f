"""Who leaves for demands of a trial: the operator's own preemption, as far as budgets let pods go. No I/O."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.occupant import Occupant
from controller.placement.preemption import NoVictims, Preemption, Preemptor
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.nominating import MOST_VICTIMS, SHARES

#: So many sets of victims are looked for of which a budget lets not all go.
MOST_LOOKS: Final = 8

Together: TypeAlias = list[tuple[Demand, Preemption]]

_REFUSED: Final = NoVictims("EvictionRefused", "a disruption budget refused the eviction of who would have to leave")


@dataclass(frozen=True, slots=True)
class Leave:
    """What bears on who leaves in a real cluster.

    `refused`: of pods that are to leave one after the other, the keys of those that a disruption budget keeps. `kept`:
    the uids of those who were asked to leave for a demand already; None where no place is kept for it.
    """

    refused: Callable[[Sequence[Occupant]], frozenset[str]] = lambda _: frozenset()
    kept: Callable[[Demand], frozenset[str] | None] = lambda _: None


ANYBODY: Final = Leave()


class Leavers:
    """Who may have to leave on one snapshot. `gone`: those who have left for others before, in their order."""

    def __init__(
        self,
        scheduler: ModelScheduler,
        snapshot: Snapshot,
        occupants: Iterable[Occupant],
        leave: Leave,
        gone: Sequence[Occupant] = (),
    ) -> None:
        self._scheduler = scheduler
        self._snapshot = snapshot
        self._leave = leave
        self._gone = gone
        self._occupants = tuple(occupants)
        self._preemptor = Preemptor(scheduler, snapshot, self._occupants)

    def find(self, demand: Demand) -> Preemption | NoVictims:
        """Who leaves for a demand, or why nobody does: those who were asked already, else the fewest."""
        if demand.shared is not None:
            return SHARES
        asked = self._leave.kept(demand)
        found = self._asked(demand, asked) if asked else None

        def look(preemptor: Preemptor) -> Together | NoVictims:
            one = preemptor.find(demand)
            return one if isinstance(one, NoVictims) else [(demand, one)]

        if found is not None:
            return found
        looked = self._look(look)
        return looked if isinstance(looked, NoVictims) else looked[0][1]

    def together(self, gang: Sequence[Demand]) -> Together | NoVictims:
        """The same for all members of a gang that has no place."""
        return self._look(lambda preemptor: preemptor.together(gang, by_right=True))

    def _asked(self, demand: Demand, uids: frozenset[str]) -> Preemption | None:
        """The place that they leave whose pods have these uids; None where one stays, or it would not fit even then."""
        staying = tuple(each for each in self._occupants if each.uid in uids and not each.leaving)
        leaving = (each.key for each in self._occupants if each.leaving)
        with self._snapshot.without([*leaving, *(each.key for each in staying)]):
            placed = self._scheduler.schedule(self._snapshot, demand)
        if not isinstance(placed, Placed) or any(each.refused for each in staying) or self._kept_of(staying):
            return None
        return Preemption(placed, staying, reclaims=False)

    def _look(self, find: Callable[[Preemptor], Together | NoVictims]) -> Together | NoVictims:
        """What `find` finds of whom all may go. Who stays is told so, and it is looked again."""
        for _ in range(MOST_LOOKS):
            found = find(self._preemptor)
            if isinstance(found, NoVictims):
                return found
            most = max(len(one.victims) for _, one in found)
            if most > MOST_VICTIMS:
                return NoVictims("TooManyVictims", f"{most} pods would have to leave for it")
            kept = self._kept_of([each for _, one in found for each in one.victims])
            if not kept:
                return found
            self._spare(kept)
        return _REFUSED

    def _kept_of(self, leaving: Sequence[Occupant]) -> frozenset[str]:
        """Those of the pods that a budget keeps, all who have left before counted."""
        return self._leave.refused([*self._gone, *leaving]) & {each.key for each in leaving}

    def _spare(self, kept: frozenset[str]) -> None:
        """Mark them, and all whom the same budgets keep by now."""
        self._occupants = tuple(
            replace(each, refused=True) if each.key in kept or self._kept_of([each]) else each
            for each in self._occupants
        )
        self._preemptor = Preemptor(self._scheduler, self._snapshot, self._occupants)
