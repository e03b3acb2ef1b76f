"""Defects put into the core on purpose: the rules of the ledger notice each of them.

A rule that notices nothing is no rule. Each row changes one thing, as a slip of the hand would, and names rules of which
one has to break within so many histories; other rules may break first only where they are named as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappush
from typing import Any

import pytest

from controller.qos import admission, manager, refusal
from controller.qos.concurrency_limit import ConcurrencyLimit
from controller.qos.dispatcher import Dispatcher
from controller.qos.fair_queue import RequestQueue
from controller.qos.manager import QoSManager
from controller.qos.membership import Membership
from controller.qos.place import Entry, Model, Place
from controller.qos.request import DONE, Request
from controller.qos.timers import Timers
from tests.controller.qos.draws import by_seed
from tests.controller.qos.ledger import Broken
from tests.controller.qos.traffic import play

HISTORIES = 400

Plant = Callable[[pytest.MonkeyPatch], None]


def found(histories: int = HISTORIES) -> str | None:
    """The first rule that breaks in these histories, with the history; an error of the core counts as "crashed"."""
    for seed in range(histories):
        try:
            play(*by_seed(seed))
        except Broken as broken:
            return broken.rule
        except (ArithmeticError, LookupError, ValueError, StopIteration) as error:
            return f"crashed: {error}"
    return None


@dataclass(frozen=True)
class Defect:
    name: str
    plant: Plant
    rules: tuple[str, ...]


def replaced(owner: Any, name: str, new: Any) -> Plant:
    return lambda patch: patch.setattr(owner, name, new)


def no_needs(self: Dispatcher, place: Place) -> None:
    pass


def any_class_needs(self: Dispatcher, place: Place, best: Entry) -> Any:
    return (0, (place.in_flight - place.minimum) / place.minimum, place.number, place)


def fullest_needs(self: Dispatcher, place: Place, best: Entry) -> Any:
    return (best.line.level, -place.in_flight / place.minimum, place.number, place)


def no_maximum(patch: pytest.MonkeyPatch) -> None:
    apply = Model.apply

    def applied(self: Model, settings: Any, now: float) -> None:
        apply(self, settings, now)
        self.maximum += 1

    patch.setattr(Model, "apply", applied)


def one_seat_more(patch: pytest.MonkeyPatch) -> None:
    adopt = Dispatcher.adopt

    def adopted(self: Dispatcher) -> None:
        adopt(self)
        self.limit += bool(self.limit)

    patch.setattr(Dispatcher, "adopt", adopted)


def one_seat_less(patch: pytest.MonkeyPatch) -> None:
    adopt = Dispatcher.adopt

    def adopted(self: Dispatcher) -> None:
        adopt(self)
        self.limit = max(1, self.limit - 1) if self.limit else 0

    patch.setattr(Dispatcher, "adopt", adopted)


def no_order_of_ranks(patch: pytest.MonkeyPatch) -> None:
    def next_of(self: Dispatcher, line: Any) -> Any:
        return next((one for one in reversed(self.lines) if self._settle(one)), line)

    arrange = Dispatcher.arrange

    def arranged(self: Dispatcher, classes: Any) -> None:
        arrange(self, classes)
        for line in self.lines:
            line.alone = False

    patch.setattr(Dispatcher, "_next_of", next_of)
    patch.setattr(Dispatcher, "arrange", arranged)


def promotes_always(patch: pytest.MonkeyPatch) -> None:
    promoted = Dispatcher._promoted

    def again(self: Dispatcher, entry: Any) -> Any:
        request = promoted(self, entry)
        self.since = self.every
        return request

    patch.setattr(Dispatcher, "_promoted", again)


def first_come(self: RequestQueue, request: Request, due: float, ticket: int, weight: int) -> None:
    push(self, request, float(ticket), ticket, weight)


push = RequestQueue.push


def cancelled_in_place(self: QoSManager, request: Request, now: float) -> None:
    state, request.state = request.state, DONE
    if state == 1:
        model = self._models[request.model]
        model.cancelled += 1
        self._remove(request, model)
    elif state == 2:
        request.place.model.cancelled += 1  # and keeps its seat


def nobody_next(self: QoSManager, place: Place, now: float) -> None:
    pass


def open_whatever_its_seats(self: Place) -> bool:
    free = self.partition.limit - self.partition.in_flight
    return free > 0 and (free > self.partition.reserved or self.in_flight < self.minimum)


def open_whatever_is_reserved(self: Place) -> bool:
    return self.partition.limit > self.partition.in_flight and self.in_flight < self.seats


def reserves_nothing(self: Dispatcher) -> None:
    self.reserved = 0


def reserves_always(self: Dispatcher) -> None:
    self.reserved = sum(place.headroom for place in self.places)


def to_whom_it_avoids(self: RequestQueue, endpoint: str | None) -> Request | None:
    return self.returned[0] if self.returned else None


def never_late(request: Request, model: Model, now: float, wait: float) -> float:
    return 0.0


def sheds_the_best(request: Request, model: Model, at: int, levels: list[int]) -> Request | None:
    return next((queue.tail(0) for queue in model.queues if queue.count > len(queue.returned)), None)


def sheds_the_head(self: RequestQueue, than: int) -> Request | None:
    longest = max(self.flows.values(), key=lambda one: one.waiting, default=None)
    if longest is None or longest.waiting <= than:
        return None
    return next((request for _, ticket, request in longest.items if request.ticket == ticket), None)


def sheds_for_anybody(request: Request, model: Model, at: int, levels: list[int]) -> Request | None:
    return next((queue.tail(0) for queue in reversed(model.queues) if queue.count > len(queue.returned)), None)


def never_full(patch: pytest.MonkeyPatch) -> None:
    wait = QoSManager._wait

    def waits(self: QoSManager, request: Request, model: Model, at: int, now: float) -> None:
        if model.places:
            self._queue(request, model, at)
        else:
            wait(self, request, model, at, now)

    patch.setattr(QoSManager, "_wait", waits)


def forgets_those_who_wait(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(QoSManager, "_queue_again", lambda self, request, model: None)


def nobody_capped(self: QoSManager, model: Model, now: float) -> None:
    model.capped.clear()


def stays_parked(patch: pytest.MonkeyPatch) -> None:
    def refill(self: QoSManager, place: Place, now: float) -> None:
        if place.partition.waiting or place.partition.needs:
            self._serve(place.partition, now)

    patch.setattr(QoSManager, "_refill", refill)


def sleeps(self: Timers, now: float) -> Any:
    return iter(())


def looks_too_late(self: Timers, model: Model, at: float) -> None:
    if at != model.timed_at:
        model.timed_at = at
        heappush(self._models, (at + 5.0, next(self._numbers), model))


def refuses_on_reload(patch: pytest.MonkeyPatch) -> None:
    configure = QoSManager.configure

    def configured(self: QoSManager, settings: Any, now: float) -> None:
        configure(self, settings, now)
        for model in self._models.values():
            for queue in model.queues:
                oldest = queue.oldest()
                if oldest is not None:
                    self._remove(oldest, model)
                    self._refuse(oldest, model, refusal.QUEUE_FULL, "reloaded", None)

    patch.setattr(QoSManager, "configure", configured)


def forgets_what_left(patch: pytest.MonkeyPatch) -> None:
    apply = Membership.apply

    def applied(self: Membership, settings: Any, now: float) -> Any:
        self._left_models, self._left_partitions, self._left_places = {}, {}, {}
        return apply(self, settings, now)

    patch.setattr(Membership, "apply", applied)


def sent_to_draining(patch: pytest.MonkeyPatch) -> None:
    place = Membership._place

    def placed(self: Membership, places: Any, member: Any, partition: Any, anew: bool) -> Place:
        made = place(self, places, member, partition, anew)
        made.seats = member.seats
        return made

    patch.setattr(Membership, "_place", placed)


def above_its_seats(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ConcurrencyLimit, "value", property(lambda self: int(self.seats * 1.5 + 1) if self.seats else 0))


def refuses_twice(patch: pytest.MonkeyPatch) -> None:
    refuse = QoSManager._refuse

    def refused(self: QoSManager, request: Request, *rest: Any) -> None:
        refuse(self, request, *rest)
        self._on_refuse(request, refusal.refusal(rest[1], "again"))

    patch.setattr(QoSManager, "_refuse", refused)


def no_order_of_arrival(patch: pytest.MonkeyPatch) -> None:
    """The oldest is the youngest: who starves is looked for at the wrong end."""

    def oldest(self: RequestQueue, endpoint: str | None = None) -> Request | None:
        return next((one for _, ticket, one in reversed(self._order) if one.ticket == ticket), None)

    patch.setattr(RequestQueue, "oldest", oldest)


NEEDS = "models below their minimum come first"
FREE = "no seat is free that somebody waits for"
SEAT = "a seat is free where one is dispatched to"
SIZES = "sizes are right"
TIMEOUT = "nobody waits longer than the queue's timeout"
NEXT = "advance says when it is needed next"
DEFECTS = [
    Defect("minimums are ignored", replaced(Dispatcher, "want", no_needs), (NEEDS, FREE)),
    Defect(
        "minimums are met whatever the class",
        replaced(Dispatcher, "_need", any_class_needs),
        ("of those below their minimum the best class is first",),
    ),
    Defect(
        "who has most of its minimum gets more",
        replaced(Dispatcher, "_need", fullest_needs),
        ("then who has the smallest part of its minimum",),
    ),
    Defect("the maximum is one higher", no_maximum, ("never more than the maximum", SEAT)),
    Defect("the limit is one higher", one_seat_more, ("never more in flight than the limit", SEAT)),
    Defect("the limit is one lower", one_seat_less, (FREE,)),
    Defect("the limit is above the seats", above_its_seats, ("a limit is from 1 to the seats", SEAT)),
    Defect("the worst class is served first", no_order_of_ranks, ("a better class comes first",)),
    Defect("every starving request is promoted", promotes_always, ("one promotion in so many dispatches",)),
    Defect(
        "none is promoted",
        replaced(Dispatcher, "_take_starving", lambda self, better, now: None),
        ("starving requests get their turn",),
    ),
    Defect(
        "none is promoted within a minimum",
        replaced(Dispatcher, "_take_starving_of", lambda self, place, now: None),
        ("starving requests get their turn",),
    ),
    Defect("deadlines do not order", replaced(RequestQueue, "push", first_come), ("the earliest deadline of a tenant goes first",)),
    Defect("who is cancelled keeps its seat", replaced(QoSManager, "cancel", cancelled_in_place), (FREE, SIZES, "seats are kept")),
    Defect("a seat that was freed is given to nobody", replaced(QoSManager, "_refill", nobody_next), (FREE,)),
    Defect("an engine's seats do not bound", replaced(Place, "open", open_whatever_its_seats), (SEAT,)),
    Defect("headroom is given away at arrival", replaced(Place, "open", open_whatever_is_reserved), (SEAT,)),
    Defect("headroom is not kept", replaced(Dispatcher, "reserve", reserves_nothing), (SEAT,)),
    Defect("headroom in use is kept all the same", replaced(Dispatcher, "reserve", reserves_always), (FREE,)),
    Defect("who was given back goes to the same pod", replaced(RequestQueue, "again", to_whom_it_avoids), (SEAT,)),
    Defect("deadlines are forgotten at the dispatch", replaced(manager, "too_late_by", never_late), ("nobody is dispatched after its deadline",)),
    Defect("the best class leaves a full queue", replaced(manager, "displaced_by", sheds_the_best), ("the worst class leaves first", "nobody leaves for one who has no better right")),
    Defect("the first one leaves a full queue", replaced(RequestQueue, "tail", sheds_the_head), ("the last one of its tenant leaves",)),
    Defect("anybody pushes others out", replaced(manager, "displaced_by", sheds_for_anybody), ("nobody leaves for one who has no better right",)),
    Defect("queues have no bound", never_full, ("no queue is longer than it may be",)),
    Defect("other classes lose who waits", forgets_those_who_wait, (SIZES, FREE, NEXT)),
    Defect("a reload refuses who waits", refuses_on_reload, ("a reload loses no request",)),
    Defect("seats of pods that left are forgotten", forgets_what_left, ("seats are kept", SIZES, SEAT)),
    Defect("draining pods get requests", sent_to_draining, (SEAT, NEEDS, "never more in flight than the limit")),
    Defect("who was at its maximum is passed over for ever", replaced(QoSManager, "_uncap", nobody_capped), (FREE,)),
    Defect("who had no seat is passed over for ever", stays_parked, (FREE, NEEDS)),
    Defect("timeouts are not looked at", replaced(Timers, "due", sleeps), (TIMEOUT, "advance does all that is due")),
    Defect("deadlines are not looked at", replaced(Timers, "overdue", sleeps), ("nobody waits beyond its deadline", "advance does all that is due")),
    Defect("timeouts are looked at too late", replaced(Timers, "look_at", looks_too_late), (TIMEOUT, NEXT)),
    Defect("who waits longest is mistaken", no_order_of_arrival, (TIMEOUT, NEXT, "starving requests get their turn", "a better class comes first")),
    Defect("a refusal is said twice", refuses_twice, ("who is refused was waiting",)),
    Defect("Retry-After has no bound", replaced(manager, "retry_after", lambda seconds, jitter: 31.0 + seconds), ("Retry-After is from 1 to 30 s",)),
]  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda one: one.name)
def test_a_defect_is_noticed(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    defect.plant(monkeypatch)
    assert found() in defect.rules


def test_without_a_defect_nothing_is_noticed() -> None:
    assert found(100) is None


def test_what_is_planted_is_undone() -> None:
    assert vars(manager)["too_late_by"] is admission.too_late_by
    assert RequestQueue.push is push
