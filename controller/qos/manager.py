"""The dispatcher of requests: who gets the next free seat of a partition, who waits, and who is refused.

Everything is decided within the calls below, which say the time; their outcome comes by two callbacks, maybe before the
call returns. No clock, no I/O, no waiting.

A request that comes while a seat is free for it is dispatched at once: nobody who might have that seat is waiting, for
every call fills every seat that it can. Otherwise it waits in its model's queue, at no partition in particular, and
goes to the one that has a seat for it first.
"""

from collections.abc import Callable
from typing import Final

from controller.qos.admission import (
    displaced_by,
    drained_in,
    generated_meanwhile,
    predicted_cost,
    predicted_wait,
    too_late_by,
)
from controller.qos.dispatcher import Dispatcher
from controller.qos.membership import Membership
from controller.qos.place import NEVER, Model, Place
from controller.qos.refusal import (
    DEADLINE_EXCEEDED,
    DEADLINE_UNREACHABLE,
    NO_ENDPOINT,
    QUEUE_FULL,
    QUEUE_TIMEOUT,
    RATE_LIMITED,
    SHED,
    UNKNOWN_CLASS,
    UNKNOWN_MODEL,
    Refusal,
    refusal,
    retry_after,
)
from controller.qos.request import DONE, IN_FLIGHT, NEW, QUEUED, Request
from controller.qos.settings import Member, QoSSettings
from controller.qos.statistics import QoSStatistics, statistics_of
from controller.qos.timers import Timers
from controller.qos.token_bucket import TokenBucket

# Of places with a free seat so many are compared, beginning with another one each time.
_COMPARED: Final = 8


class QoSManager:
    """Decides for all partitions of one process.

    `on_dispatch(request, member)`: send it there now. `on_refuse(request, refusal)`: answer with that, it is over. Both
    may call back into the manager. `jitter`: a number from 0 up to 1, another one each time.

    Each request that arrived ends exactly once: by `on_refuse`, `complete` or `cancel`.
    """

    def __init__(
        self,
        settings: QoSSettings,
        now: float,
        *,
        on_dispatch: Callable[[Request, Member], None],
        on_refuse: Callable[[Request, Refusal], None],
        jitter: Callable[[], float],
    ) -> None:
        self._on_dispatch, self._on_refuse, self._jitter = on_dispatch, on_refuse, jitter
        self._membership = Membership()
        self._models: dict[str, Model] = {}
        self._index: dict[str, int] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._timers = Timers()
        self._ticket = 0
        self._refused_unknown = 0
        self.configure(settings, now)

    # ---- arrival

    def arrive(self, request: Request, now: float) -> None:
        """A new request: it is dispatched at once, waits, or is refused. ValueError for one that arrived before."""
        if request.state != NEW:
            raise ValueError(f"request in state {request.state} arrives: it can once, in state {NEW}")
        model = self._models.get(request.model)
        at = self._index.get(request.qos_class)
        if model is None or at is None:
            self._refuse_unknown(request, model)
            return
        model.arrived += 1
        if (model.bucket is not None or self._buckets) and self._rate_limited(request, model, now):
            return
        if model.waiting == model.again and model.in_flight < model.maximum:
            place = self._free_place(model)
            if place is not None:
                if request.deadline is None or not self._hopeless(request, model, now, 0.0):
                    self._start(request, place, now)
                return
        self._wait(request, model, at, now)

    def _refuse_unknown(self, request: Request, model: Model | None) -> None:
        if model is None:
            request.state = DONE
            self._refused_unknown += 1
            text = f"no service {request.model}: check its namespace and name"
            self._on_refuse(request, refusal(UNKNOWN_MODEL, text))
            return
        model.arrived += 1
        names = ", ".join(one.name for one in self._membership.classes.ordered)
        self._refuse(request, model, UNKNOWN_CLASS, f"no class {request.qos_class}: ask for one of {names}", None)

    def _rate_limited(self, request: Request, model: Model, now: float) -> bool:
        """Whether its tenant or its model has used up its rate; then it is refused, and counts for neither's."""
        of_tenant = self._buckets.get(request.tenant)
        seconds = of_tenant.take(now) if of_tenant is not None else 0.0
        if of_tenant is not None and seconds:
            text = f"{request.tenant} may send {of_tenant.rate:g} requests a second: come slower"
            self._refuse(request, model, RATE_LIMITED, text, seconds)
            return True
        bucket = model.bucket
        seconds = bucket.take_for(request.tenant, now) if bucket is not None else 0.0
        if bucket is None or not seconds:
            return False
        if of_tenant is not None:
            of_tenant.put_back()
        text = f"{model.key} takes {bucket.rate:g} requests a second, and its callers even parts of them: come slower"
        self._refuse(request, model, RATE_LIMITED, text, seconds)
        return True

    def _free_place(self, model: Model) -> Place | None:
        """The least loaded of some of its places that have a free seat; None when none has."""
        places = model.places
        total = len(places)
        if total == 1:
            place = places[0]
            return place if place.open() else None
        best: Place | None = None
        least, compared = 2.0, 0
        first = model.turn = model.turn + 1 if model.turn < total else 1
        for at in range(first - total, first):
            place = places[at]
            if place.open():
                load = place.in_flight / place.seats
                if load < least:
                    best, least = place, load
                compared += 1
                if compared == _COMPARED:
                    break
        return best

    def _wait(self, request: Request, model: Model, at: int, now: float) -> None:
        """It waits for a seat, if it may and if that makes sense."""
        if not model.places and not model.settings.held:
            self._refuse(request, model, NO_ENDPOINT, f"no Ready pod of {model.key}", drained_in(model))
            return
        if request.deadline is not None and self._hopeless(request, model, now, predicted_wait(request, model, at)):
            return
        victim: Request | None = None
        if model.waiting >= model.settings.queue_length:
            victim = self._removed_for(request, model, at)
            if victim is None:
                text = f"{model.waiting} requests wait for {model.key}, of {model.settings.queue_length} at most"
                self._refuse(request, model, QUEUE_FULL, text, drained_in(model))
                return
        self._queue(request, model, at)
        if victim is not None:
            text = f"the queue of {model.key} is full, and others go before it"
            self._refuse(victim, model, SHED, text, drained_in(model))

    def _queue(self, request: Request, model: Model, at: int) -> None:
        queue = model.queues[at]
        due = expires = request.arrived + model.settings.queue_timeout
        deadline = request.deadline
        self._ticket = ticket = self._ticket + 1
        request.state = QUEUED
        request.cost = predicted_cost(request, model, self._output_weight)
        if deadline is not None:
            due = min(due, deadline)
            self._timers.watch(request, deadline, ticket)
        queue.push(request, due, ticket, self._weights.get(request.tenant, 1))
        model.waiting += 1
        if queue.count == 1 or queue.returned:
            for place in model.places:
                place.partition.wake_one(place, at)
        if expires < model.timed_at:
            self._timers.look_at(model, expires)

    def _hopeless(self, request: Request, model: Model, now: float, wait: float) -> bool:
        """Whether its first byte will come too late if it waits so long; then it is refused."""
        if too_late_by(request, model, now, wait) <= 0:
            return False
        self._refuse_late(request, model, now, wait)
        return True

    def _refuse_late(self, request: Request, model: Model, now: float, wait: float) -> None:
        left = NEVER if request.deadline is None else request.deadline - now
        if left <= 0 and request.arrived < now:
            text = f"its time ran out {now - request.arrived:.3f}s after it came, before an engine could begin"
            self._refuse(request, model, DEADLINE_EXCEEDED, text, drained_in(model))
        else:
            late = too_late_by(request, model, now, wait)
            text = f"its first byte is expected in {left + late:.3f}s, and its deadline is in {left:.3f}s"
            self._refuse(request, model, DEADLINE_UNREACHABLE, text, wait)

    def _removed_for(self, request: Request, model: Model, at: int) -> Request | None:
        """Who has left the full queue for it; None: nobody, it has to stay out."""
        victim = displaced_by(request, model, at, self._membership.classes.levels)
        if victim is not None:
            self._remove(victim, model)
        return victim

    # ---- in flight

    def _start(self, request: Request, place: Place, now: float) -> None:
        partition, model = place.partition, place.model
        place.in_flight += 1
        partition.in_flight += 1
        model.in_flight += 1
        model.dispatched += 1
        if place.headroom:
            partition.reserve()
        request.state = IN_FLIGHT
        request.place = place
        request.dispatched = now
        member = request.member = place.member
        self._on_dispatch(request, member)

    def first_byte(self, request: Request, now: float) -> None:
        """The first byte of the answer has come. ValueError for a request that is not in flight."""
        if request.state != IN_FLIGHT:
            raise _not_in_flight(request, "gets its first byte")
        place = request.place
        partition = place.partition
        seconds = now - request.dispatched
        place.model.estimates.began(seconds)
        ratio = place.usual.compared(request.prompt_tokens, seconds)
        if partition.limiter.sampled(ratio, partition.in_flight):
            self._adopt(partition, now)

    def complete(
        self,
        request: Request,
        now: float,
        *,
        prompt_tokens: int | None = None,
        output_tokens: int | None = None,
        overloaded: bool = False,
    ) -> None:
        """A request in flight is over, well or not; its seat goes to the next one.

        `prompt_tokens`, `output_tokens`: what it really had; None: not known. `overloaded`: the engine refused it or
        did not answer in time. ValueError for one that is not in flight.
        """
        if request.state != IN_FLIGHT:
            raise _not_in_flight(request, "completes")
        request.state = DONE
        place = request.place
        model = place.model
        model.completed += 1
        if overloaded:
            partition = place.partition
            partition.overloads += 1
            if partition.limiter.overloaded(request.dispatched, now, partition.left_to_others(place)):
                self._adopt(partition, now)
        else:
            model.estimates.served(now - request.dispatched, output_tokens)
            if output_tokens is not None and request.flow is not None:
                # What was charged at its dispatch was an estimate.
                prompt = request.prompt_tokens if prompt_tokens is None else prompt_tokens
                _charge(request, prompt + self._output_weight * output_tokens - request.cost)
        place.leave()
        self._refill(place, now)

    def give_back(self, request: Request, now: float, *, avoid: frozenset[str]) -> None:
        """A request in flight of which no byte came: its seat is free, and its turn goes on.

        It goes to another pod that has a seat at once, or waits again, before all others of its class. `avoid`: the
        endpoints that it is not sent to any more; refused when no other Ready one is left. ValueError for one that is
        not in flight.
        """
        if request.state != IN_FLIGHT:
            raise _not_in_flight(request, "is given back")
        left, model = request.place, request.place.model
        model.given_back += 1
        request.member, request.avoid, request.ticket = None, avoid, 0
        left.leave()
        others = [one for one in model.places if one.member.endpoint not in avoid]
        waits = bool(others) or (model.settings.held and self._models.get(model.key) is model)
        if not waits or too_late_by(request, model, now, 0.0) > 0:
            request.state = DONE
            self._refill(left, now)
            if waits:
                self._refuse_late(request, model, now, 0.0)
            else:
                self._refuse(request, model, NO_ENDPOINT, f"no other Ready pod of {model.key}", drained_in(model))
            return
        at = self._class_of(request, model)  # which may be another one since
        free = [one for one in others if one.open()] if model.in_flight < model.maximum else []
        if free:
            self._start(request, min(free, key=lambda one: one.in_flight / one.seats), now)
        else:
            self._wait_again(request, model, at)
            for place in others:
                place.partition.wake(place)
        self._refill(left, now)

    def _wait_again(self, request: Request, model: Model, at: int) -> None:
        if request.flow is None:
            request.cost = predicted_cost(request, model, self._output_weight)
        else:
            _charge(request, -request.cost)
            request.flow = None
        request.state = QUEUED
        model.queues[at].put_back(request)
        model.waiting += 1
        model.again += 1
        self._timers.look_at(model, min(model.timed_at, request.arrived + model.settings.queue_timeout))
        if request.deadline is not None:
            self._timers.watch(request, request.deadline, request.ticket)

    def cancel(self, request: Request, now: float) -> None:
        """The client is gone. The request ends here in any state; nothing happens to one that has ended."""
        state, request.state = request.state, DONE
        if state == QUEUED:
            model = self._models[request.model]
            model.cancelled += 1
            self._remove(request, model)
        elif state == IN_FLIGHT:
            request.place.model.cancelled += 1
            if request.flow is not None:
                held = now - request.dispatched
                _charge(request, generated_meanwhile(request.place.model, held, self._output_weight))
            request.place.leave()
            self._refill(request.place, now)

    def _class_of(self, request: Request, model: Model) -> int:
        """The index of its class; one whose class is gone goes with the model's own."""
        at = self._index.get(request.qos_class)
        if at is None:
            request.qos_class = model.settings.qos_class
            at = self._index[request.qos_class]
        return at

    def _remove(self, request: Request, model: Model) -> None:
        """It waits no more."""
        model.waiting -= 1
        if not request.ticket:
            model.again -= 1
        model.queues[self._class_of(request, model)].remove(request)

    # ---- seats

    def _refill(self, place: Place, now: float) -> None:
        """A seat of this place was freed: it goes to the next one."""
        partition, model = place.partition, place.model
        if model.waiting:
            if place.seats:
                if place.parked:
                    partition.wake(place)
                elif place.in_flight < place.minimum:
                    partition.want(place)
            if model.capped:
                partition.wake_parked(model)
        if partition.waiting or partition.needs:
            self._serve(partition, now)
        if model.capped:
            self._uncap(model, now)

    def _uncap(self, model: Model, now: float) -> None:
        """The model is below its maximum again: places that were passed over for it get their turn."""
        while model.capped and model.in_flight < model.maximum:
            place = model.capped.popleft()
            place.capped = False
            if model.waiting and place.seats:
                place.partition.wake_parked(model)
                self._serve(place.partition, now)

    def _serve(self, partition: Dispatcher, now: float) -> None:
        """Fill the free seats of a partition."""
        if partition.serving:
            return  # it is being done further up the stack
        partition.serving = True
        try:
            while partition.in_flight < partition.limit:
                request = partition.take(now)
                if request is None:
                    break
                place = request.place
                if request.deadline is not None and self._hopeless(request, place.model, now, 0.0):
                    _charge(request, -request.cost)
                    partition.not_taken(request)
                else:
                    self._start(request, place, now)
        finally:
            partition.serving = False

    def _adopt(self, partition: Dispatcher, now: float) -> None:
        """Use the limit as it is now."""
        if partition.limiter.value != partition.limit:
            partition.adopt()
            self._serve(partition, now)

    # ---- settings and time

    def configure(self, settings: QoSSettings, now: float) -> None:
        """Other settings from now on. ValueError that names what is wrong with them; then the old ones stay.

        Requests in flight stay in flight, also where their pod is gone. Those that wait keep their place; those whose
        model is gone are refused, those whose model has no Ready pod any more wait for one until their time is over.
        """
        wrong = settings.validated()
        if wrong:
            raise ValueError("; ".join(wrong))
        gone, moved = self._membership.apply(settings, now)
        self._models, self._index = self._membership.models, self._membership.classes.index
        self._weights, self._output_weight = self._membership.weights, settings.output_weight
        self._buckets = {
            name: self._bucket(name, one.max_rate, now)
            for name, one in settings.tenants.items()
            if one.max_rate is not None
        }
        for model, requests in moved:
            for request in requests:
                self._queue_again(request, model)
        for model in list(self._models.values()):
            self._resume(model)
        for model, requests in gone:
            for request in requests:
                self._refuse(request, model, UNKNOWN_MODEL, f"{model.key} is gone", None)
        for partition in list(self._membership.partitions.values()):
            if partition.waiting or partition.needs:
                self._serve(partition, now)

    def _bucket(self, tenant: str, rate: float, now: float) -> TokenBucket:
        found = self._buckets.get(tenant)
        return found if found is not None and found.rate == rate else TokenBucket(rate, now)

    def _queue_again(self, request: Request, model: Model) -> None:
        """It waits in the queue of its class, which is another one now."""
        at = self._class_of(request, model)
        if request.ticket:
            self._queue(request, model, at)
        else:
            model.waiting += 1
            model.again += 1
            model.queues[at].put_back(request)

    def _resume(self, model: Model) -> None:
        """All its places take part again, whatever they were passed over for before the settings changed."""
        if model.capped:
            for place in model.capped:
                place.capped = False
            model.capped.clear()
        if model.waiting:
            for place in model.places:
                place.partition.wake(place)
            self._timers.look_at(model, model.first_timeout())

    def advance(self, now: float) -> float | None:
        """What is due by the time: who has waited too long is refused. Returns when to call it next; None: no need."""
        for request in self._timers.overdue(now):
            model = self._models[request.model]
            self._remove(request, model)
            self._refuse_late(request, model, now, 0.0)
        for model in self._timers.due(now):
            timeout = model.settings.queue_timeout
            for queue in list(model.queues):
                while (oldest := queue.oldest()) is not None and oldest.arrived + timeout <= now:
                    self._remove(oldest, model)
                    self._refuse(oldest, model, QUEUE_TIMEOUT, f"it waited {timeout:g}s", drained_in(model))
            if model.waiting:
                self._timers.look_at(model, model.first_timeout())
        return self._timers.next()

    # ---- outcomes

    def _refuse(self, request: Request, model: Model, reason: str, message: str, seconds: float | None) -> None:
        """`seconds`: when there will probably be room; None: coming back does not help."""
        request.state = DONE
        model.refused[reason] = model.refused.get(reason, 0) + 1
        after = None if seconds is None else retry_after(seconds, self._jitter())
        self._on_refuse(request, refusal(reason, message, after))

    def statistics(self) -> QoSStatistics:
        """Counts and sizes as they are now."""
        return statistics_of(self._membership, self._refused_unknown)


def _charge(request: Request, more: float) -> None:
    """Charge a request in flight more, or less; nothing when it was charged nothing."""
    flow, entry = request.flow, request.entry
    if flow is not None and entry is not None:
        flow.adjust += more * flow.per_cost
        entry.adjust += more * entry.per_cost


def _not_in_flight(request: Request, what: str) -> ValueError:
    return ValueError(f"request in state {request.state} {what}: only one in flight can, in state {IN_FLIGHT}")
