"""What the dispatcher keeps of models, and of their pods at partitions. Mutable, and private to the room."""

from collections import deque
from typing import TYPE_CHECKING, Final

from controller.qos.concurrency_limit import UsualTimes
from controller.qos.estimates import Estimates
from controller.qos.fair_queue import RequestQueue
from controller.qos.request import Request
from controller.qos.settings import Member, ModelSettings, QoSClass
from controller.qos.token_bucket import SharedBucket

if TYPE_CHECKING:
    from controller.qos.dispatcher import Dispatcher, Line

# More than any partition has: a model without a maximum.
UNBOUNDED: Final = 1 << 60
NEVER: Final = float("inf")


class Model:
    """A model: its queues by class (in the order of `Classes`), its Ready places, what is in flight, and counters.

    `waiting`: over all queues, `again` of them were dispatched before. `capped`: places that were passed over because
    the model was at its maximum. `timed_at`: when those who wait are looked at next. `turn`: at which place to begin.
    `divided`: what its places' shares were worked out from.
    """

    __slots__ = (
        "again",
        "arrived",
        "bucket",
        "cancelled",
        "capped",
        "completed",
        "dispatched",
        "divided",
        "estimates",
        "given_back",
        "in_flight",
        "key",
        "maximum",
        "places",
        "queues",
        "refused",
        "settings",
        "timed_at",
        "turn",
        "waiting",
    )

    def __init__(self, settings: ModelSettings, classes: int, now: float) -> None:
        self.key = settings.model
        self.queues: list[RequestQueue] = []
        self.emptied(classes)
        self.places: list[Place] = []
        self.capped: deque[Place] = deque()
        self.estimates = Estimates(settings.output_tokens)
        self.bucket: SharedBucket | None = None
        self.divided: object = None
        self.in_flight = self.turn = 0
        self.timed_at = NEVER
        self.arrived = self.dispatched = self.completed = self.cancelled = self.given_back = 0
        self.refused: dict[str, int] = {}
        self.apply(settings, now)

    def emptied(self, classes: int) -> list[Request]:
        """Empty queues from now on, for so many classes. Returns what waited, by arrival; it keeps its tickets."""
        waiting = sorted((one for queue in self.queues for one in queue.emptied()), key=lambda one: one.arrived)
        self.queues = [RequestQueue() for _ in range(classes)]
        self.waiting = self.again = 0
        return waiting

    def apply(self, settings: ModelSettings, now: float) -> None:
        """Other settings from now on."""
        self.settings = settings
        self.maximum = UNBOUNDED if settings.maximum is None else settings.maximum
        if settings.max_rate is None:
            self.bucket = None
        elif self.bucket is None or self.bucket.rate != settings.max_rate:
            self.bucket = SharedBucket(settings.max_rate, now)

    def first_timeout(self) -> float:
        """When the first of those who wait will have waited too long; ValueError when nobody waits."""
        oldest = [one.arrived for queue in self.queues if (one := queue.oldest()) is not None]
        return min(oldest) + self.settings.queue_timeout

    def minimum(self) -> int:
        """Seats that it is guaranteed now, over its Ready places."""
        return sum(place.minimum for place in self.places)


class Entry:
    """What waits for one place in one class: it takes part in the turns of that class at the partition.

    `finish`, `adjust`: as those of a flow. `listed`: in its line; `watched`: in the line's order of starvation.
    """

    __slots__ = ("adjust", "finish", "line", "listed", "number", "per_cost", "place", "queue", "watched")

    def __init__(self, place: "Place", line: "Line", queue: RequestQueue, number: int) -> None:
        self.place, self.line, self.queue, self.number = place, line, queue, number
        self.per_cost = 1.0
        self.finish = self.adjust = 0.0
        self.listed = self.watched = False

    def waits(self) -> bool:
        """Whether anybody waits in it who may go to its place."""
        queue = self.queue
        return queue.count > 0 and (not queue.returned or queue.has(self.place.member.endpoint))


# (level of the best class that waits, negative share of the minimum that is missing, number of the place, place)
Need = tuple[int, float, int, "Place"]


class Place:
    """A pod at a partition. `seats` are 0 when it gets nothing new. `share`: its part of the model's minimum, and
    `minimum` what is in force of that while the partition's limit is lower; `headroom`: its part of the model's.

    `need`: its live place among those that are below their minimum. `parked`: it was passed over, because it or its
    model had no seat. `capped`: it is among its model's `capped`.
    """

    __slots__ = (
        "capped",
        "entries",
        "headroom",
        "in_flight",
        "member",
        "minimum",
        "model",
        "need",
        "number",
        "parked",
        "partition",
        "seats",
        "share",
        "usual",
    )

    def __init__(self, member: Member, model: Model, partition: "Dispatcher", number: int) -> None:
        self.member, self.model, self.partition, self.number = member, model, partition, number
        self.seats = member.seats if member.ready else 0
        self.in_flight = self.share = self.minimum = self.headroom = 0
        self.entries: list[Entry] = []
        self.need: Need | None = None
        self.parked = self.capped = False
        self.usual = UsualTimes()

    def leave(self) -> None:
        """One request less is in flight here."""
        partition = self.partition
        self.in_flight -= 1
        partition.in_flight -= 1
        self.model.in_flight -= 1
        if self.headroom:
            partition.reserve()

    def open(self) -> bool:
        """Whether a request of its model may have a seat here now, its maximum apart."""
        partition = self.partition
        free = partition.limit - partition.in_flight
        return free > 0 and self.in_flight < self.seats and (free > partition.reserved or self.in_flight < self.minimum)


class Classes:
    """The classes in the order in which they are served: by rank, then by name. Those of one rank are one level."""

    __slots__ = ("index", "levels", "ordered")

    def __init__(self, classes: tuple[QoSClass, ...]) -> None:
        self.ordered = tuple(sorted(classes, key=lambda one: (one.rank, one.name)))
        self.index = {one.name: at for at, one in enumerate(self.ordered)}
        ranks = sorted({one.rank for one in classes})
        self.levels = [ranks.index(one.rank) for one in self.ordered]
