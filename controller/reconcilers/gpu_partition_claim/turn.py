"""The cluster at one point of a cycle: what was decided so far counts in it, and what others did until then."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.placement.steps import Steps
from controller.reconcilers.gpu_partition_claim.nominating import Nominating
from controller.reconcilers.gpu_partition_claim.refusals import Refusals
from controller.reconcilers.gpu_partition_claim.standing import Surroundings
from controller.reconcilers.scheduler_counts import SchedulerCounts
from controller.repartition.division import Pending
from controller.runtime.clock import Clock
from controller.runtime.slices import Slices
from controller.state.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Turn:
    """A snapshot, and what may be asked about it. Nobody but the cycle tries anything on it.

    `seen`: how often others had acted before it was made. `active`: nodes with a change under way then.
    """

    snapshot: Snapshot
    around: Surroundings
    nominating: Nominating
    seen: int
    active: frozenset[str]


class Turns:
    """Makes the turns of cycles. `pending`: all that waits, as it is sorted out on a snapshot."""

    def __init__(
        self,
        cluster: Cluster,
        scheduler: ModelScheduler,
        slices: Slices,
        clock: Clock,
        pending: Callable[[Snapshot, Surroundings], Steps[Pending]],
        counts: SchedulerCounts,
    ) -> None:
        self._cluster = cluster
        self._scheduler = scheduler
        self._slices = slices
        self._clock = clock
        self._pending = pending
        self._counts = counts
        self._looked: dict[Demand, float] = {}
        self._between = 0
        self.refusals = Refusals()

    def first(self) -> Turn:
        """The cluster as it is now."""
        snapshot, now = self._cluster.snapshot(), self._clock.now()
        refused, looked = self.refusals.current(self._clock.monotonic()), self._looked
        nominating = Nominating(self._cluster, self._scheduler, snapshot, refused=refused, looked=looked, now=now)
        return self._turn(snapshot, self._around(snapshot), nominating)

    def after(self, turn: Turn) -> Turn:
        """As it is once something was decided that changes what others may be given."""
        snapshot = self._cluster.snapshot()
        return self._turn(snapshot, self._around(snapshot), turn.nominating.anew(snapshot))

    def following(self, turn: Turn) -> Turn:
        """With what others did since, and what was found in the cycle so far."""
        snapshot = self._cluster.snapshot()
        around = turn.around.following(snapshot, lambda: self._pending(snapshot, around))
        return self._turn(snapshot, around, turn.nominating.following(snapshot))

    def acted_between(self) -> None:
        """Something was decided between two steps of the cycle, and by no turn of its: none of them is now any more."""
        self._between += 1

    def is_now(self, turn: Turn) -> bool:
        """Whether nobody else has acted since."""
        return self._seen == turn.seen

    @property
    def _seen(self) -> int:
        return self._slices.pauses + self._between

    def _turn(self, snapshot: Snapshot, around: Surroundings, nominating: Nominating) -> Turn:
        active = frozenset(self._cluster.plan_table.active_nodes())
        return Turn(snapshot, around, nominating, self._seen, active)

    def _around(self, snapshot: Snapshot) -> Surroundings:
        around = Surroundings(self._cluster, snapshot, lambda: self._pending(snapshot, around), self._counts)
        return around


def others_since(turn: Turn, later: Turn, nodes: Collection[str] | None) -> bool:
    """Whether one of the nodes, or any where None is given, is another in the later turn, or other plans are made."""
    changed = set(turn.snapshot.base.differing(later.snapshot.base))
    about = changed if nodes is None else changed.intersection(nodes)
    return bool(about) or later.active != turn.active
