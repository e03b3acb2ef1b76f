"""Traffic through a `QoSManager` in virtual time: requests come when they are said to, and engines take what they take."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from controller.qos.manager import QoSManager
from controller.qos.refusal import Refusal
from controller.qos.request import Request
from controller.qos.settings import LimitSettings, Member, ModelSettings, PartitionSettings, QoSClass, QoSSettings

CLASSES = (QoSClass("realtime", 0, 8, 1.0), QoSClass("standard", 1, 4, 10.0), QoSClass("batch", 2, 1, 60.0))
FIXED = LimitSettings(adaptive=False)


@dataclass(frozen=True)
class Arrival:
    at: float
    model: str
    tenant: str = "t"
    qos_class: str | None = None
    tokens: int = 100
    output: int = 100
    seconds: float = 1.0
    deadline: float | None = None


def partition(seats: int, *models: ModelSettings, each: int | None = None, **changed: object) -> QoSSettings:
    """Some models on one partition of so many seats, which each of them may fill alone unless `each` says how many."""
    members = tuple(Member(f"pod-{one.model}", one.model, each or seats) for one in models)
    settings = {
        "classes": CLASSES,
        "models": {one.model: one for one in models},
        "partitions": {"p": PartitionSettings("p", members, seats)},
        "limit": FIXED,
    }
    return QoSSettings(**(settings | changed))  # type: ignore[arg-type]


@dataclass
class Simulation:
    """`first_byte`: seconds from dispatch to the first byte by (arrival, in flight); None: nobody says when it comes."""

    settings: QoSSettings
    first_byte: Callable[[Arrival, int], float] | None = None
    now: float = 0.0
    started: dict[Arrival, float] = field(default_factory=dict)
    order: list[Arrival] = field(default_factory=list)
    refused: list[tuple[Arrival, Refusal]] = field(default_factory=list)
    flying: int = 0
    watch: Callable[["Simulation"], None] | None = None

    def __post_init__(self) -> None:
        self.manager = QoSManager(
            self.settings, 0.0, on_dispatch=self._dispatched, on_refuse=self._refused, jitter=lambda: 0.5
        )
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def run(self, arrivals: Iterable[Arrival]) -> "Simulation":
        """Until nothing happens any more."""
        for one in sorted(arrivals, key=lambda one: one.at):
            self.later(one.at, lambda one=one: self.arrive(one))  # type: ignore[misc]
        while self._events:
            self.now, _, happens = heappop(self._events)
            self.manager.advance(self.now)
            happens()
            if self.watch is not None:
                self.watch(self)
        return self

    def later(self, at: float, happens: Callable[[], None]) -> None:
        heappush(self._events, (at, next(self._numbers), happens))

    def arrive(self, one: Arrival) -> None:
        name = one.qos_class or self.settings.models[one.model].qos_class
        request = Request(one.model, one.tenant, name, one.tokens, None, self.now, one.deadline, payload=one)
        self.manager.arrive(request, self.now)

    def wait(self, one: Arrival) -> float:
        return self.started[one] - one.at

    def _dispatched(self, request: Request, member: Member) -> None:
        one = request.payload
        assert isinstance(one, Arrival)
        self.started[one] = self.now
        self.order.append(one)
        self.flying += 1
        if self.first_byte is not None:
            seconds = self.first_byte(one, self.flying)
            self.later(self.now + seconds, lambda: self.manager.first_byte(request, self.now))
        self.later(self.now + one.seconds, lambda: self._complete(request, one))

    def _complete(self, request: Request, one: Arrival) -> None:
        self.flying -= 1
        self.manager.complete(request, self.now, output_tokens=one.output)

    def _refused(self, request: Request, why: Refusal) -> None:
        assert isinstance(request.payload, Arrival)
        self.refused.append((request.payload, why))


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
