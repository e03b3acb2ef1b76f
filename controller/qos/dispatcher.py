"""One partition's dispatcher: whose request gets its next free seat.

1. A model below its minimum: by the class of what it waits with, then who has the smallest part of its minimum.
2. The best class that waits, strictly; but of `every` dispatches one may serve the request of a worse class that has
   starved longest.
3. Within a class the models take turns by weight, by start-time fair queueing as in `fair_queue`, within a model its
   tenants, within a tenant by deadline.

Nothing is searched: places below their minimum, the turns of a class and its starving requests are heaps. What is in
them may be out of date, and is put right when it comes to the top.
"""

from heapq import heapify, heappop, heappush, heapreplace

from controller.qos.concurrency_limit import ConcurrencyLimit
from controller.qos.place import Classes, Entry, Model, Need, Place
from controller.qos.request import Request
from controller.qos.settings import LimitSettings
from controller.qos.shares import divided, scaled_down

# Out-of-date needs are cleared when there are more than so many for each place.
_NEEDS_A_PLACE = 8


class Line:
    """The turns of one class at one partition. `level`: among the ranks, 0 is the best; `bit`: that of the level.

    `alone`: no other class has its rank. `behind`: the lines of worse ranks. `turns`: (start, number, entry).
    `starving`: (when its oldest starves, number, entry), never later than it does; empty in the best rank, which has
    nobody to be served before.
    """

    __slots__ = (
        "alone",
        "behind",
        "bit",
        "finish",
        "level",
        "per_cost",
        "starvation_after",
        "starving",
        "turns",
        "virtual",
    )

    def __init__(self, level: int, weight: int, starvation_after: float) -> None:
        self.level, self.bit, self.per_cost = level, 1 << level, 1.0 / weight
        self.starvation_after = starvation_after
        self.turns: list[tuple[float, int, Entry]] = []
        self.starving: list[tuple[float, int, Entry]] = []
        self.virtual = self.finish = 0.0
        self.alone = True
        self.behind: list[Line] = []


class Dispatcher:
    """One partition. `waiting`: a bit for each level in which something may wait for it.

    `reserved`: free seats that are kept for models with headroom. `since`: dispatches since the last promotion.
    `virtuals`: the virtual time of the turns of classes, by level. `promoted`: the last one, and `since_before` what
    `since` was then. `every`: of so many dispatches one may be a promotion. `serving`: seats are being filled further
    up the stack, so nobody else has to.
    """

    __slots__ = (
        "every",
        "in_flight",
        "key",
        "levels",
        "limit",
        "limiter",
        "lines",
        "needs",
        "overloads",
        "places",
        "promoted",
        "promotions",
        "reserved",
        "serving",
        "since",
        "since_before",
        "virtuals",
        "waiting",
    )

    def __init__(self, key: str, classes: Classes, limits: LimitSettings) -> None:
        self.key = key
        self.limiter = ConcurrencyLimit(limits, 0, 0)
        self.limit = self.in_flight = self.reserved = 0
        self.places: list[Place] = []
        self.promotions = self.overloads = 0
        self.promoted: Request | None = None
        self.serving = False
        self.every = 0
        self.since = self.since_before = 1 << 30  # none was promoted yet
        self.arrange(classes)

    def arrange(self, classes: Classes) -> None:
        """Empty lines for these classes."""
        self.lines = [
            Line(level, one.weight, one.starvation_after)
            for one, level in zip(classes.ordered, classes.levels, strict=True)
        ]
        self.levels: list[list[Line]] = [[] for _ in range(len(set(classes.levels)))]
        self.virtuals = [0.0] * len(self.levels)
        for line in self.lines:
            self.levels[line.level].append(line)
        for line in self.lines:
            line.alone = len(self.levels[line.level]) == 1
            line.behind = [one for one in self.lines if one.level > line.level]
        self.needs: list[Need] = []
        self.waiting = 0

    # ---- what waits

    def wake(self, place: Place) -> None:
        """Something waits for this place, or may be dispatched again: it takes part from now on."""
        place.parked = False
        if self._closed(place):
            return
        for entry in place.entries:
            if entry.queue.count:
                self._list(entry)
        if place.in_flight < place.minimum:
            self.want(place)

    def wake_one(self, place: Place, at: int) -> None:
        """As `wake`, of the class at this index alone."""
        if self._closed(place):
            return
        self._list(place.entries[at])
        if place.in_flight < place.minimum:
            self.want(place)

    def wake_parked(self, model: Model) -> None:
        """All places that the model has here take part again."""
        for place in model.places:
            if place.parked and place.partition is self:
                self.wake(place)

    def _list(self, entry: Entry) -> None:
        line = entry.line
        if not entry.listed:
            start = entry.finish + entry.adjust
            if start < line.virtual:
                start = line.virtual
            entry.adjust = 0.0
            entry.finish = start
            entry.listed = True
            heappush(line.turns, (start, entry.number, entry))
            self.waiting |= line.bit
        if line.level and (not entry.watched or entry.queue.returned):
            oldest = entry.queue.oldest()
            if oldest is not None:
                entry.watched = True
                heappush(line.starving, (oldest.arrived + line.starvation_after, entry.number, entry))

    def want(self, place: Place) -> None:
        """This place is below its minimum, and something may wait for it."""
        entry = _best_of(place)
        if entry is None:
            return
        need = self._need(place, entry)
        if place.need != need:
            place.need = need
            heappush(self.needs, need)
            if len(self.needs) > _NEEDS_A_PLACE * (len(self.places) + 1):
                self.needs = [one for one in self.needs if one[3].need is one]
                heapify(self.needs)

    def _need(self, place: Place, best: Entry) -> Need:
        return (best.line.level, (place.in_flight - place.minimum) / place.minimum, place.number, place)

    # ---- whose turn it is

    def take(self, now: float) -> Request | None:
        """The request to be dispatched next, with its `place`; None when none may be. A seat is free."""
        if self.needs:
            entry = self._neediest()
            if entry is not None:
                return self._take_from(entry, now)
        if self.limit - self.in_flight <= self.reserved:
            return None
        while self.waiting:
            low = self.waiting & -self.waiting
            line = self.levels[low.bit_length() - 1][0]
            if not line.alone:
                line = self._next_of(line)
            if not self._settle(line):
                self.waiting ^= low
                continue
            if self.since >= self.every:
                request = self._take_starving(line, now)
                if request is not None:
                    return request
            return self._take_turn(line)
        return None

    def _neediest(self) -> Entry | None:
        """What waits best for the place to be brought nearer to its minimum first, whose need is over; None: none."""
        needs = self.needs
        while needs:
            need = heappop(needs)
            place = need[3]
            if place.need is not need:
                continue
            place.need = None
            if place.in_flight >= place.minimum or not place.model.waiting or self._closed(place):
                continue
            entry = _best_of(place)
            if entry is not None and self._need(place, entry) == need:
                return entry
            self.want(place)  # what waited in the better class is gone
        return None

    def _closed(self, place: Place) -> bool:
        """Whether it can get none, for it or its model has no seat. Then it is passed over until it has."""
        model = place.model
        if model.in_flight >= model.maximum:
            place.parked = True
            if not place.capped:
                place.capped = True
                model.capped.append(place)
            return True
        if place.in_flight >= place.seats:
            place.parked = True
            return True
        return False

    def _take_from(self, entry: Entry, now: float) -> Request:
        """A request of this entry, for which one waits, outside the turns of its class, which is charged for it."""
        place, request = entry.place, None
        if self.since >= self.every and entry.queue.count < place.model.waiting:
            request = self._take_starving_of(place, now)
        if request is None:
            request = self._queued(entry)
            self.since += 1
            entry.adjust += request.cost * entry.per_cost
        if place.in_flight + 1 < place.minimum:
            self._want_after(place)
        return request

    def _want_after(self, place: Place) -> None:
        """It is below its minimum even with the seat that it is just getting."""
        place.in_flight += 1
        self.want(place)
        place.in_flight -= 1

    def _next_of(self, line: Line) -> Line:
        """The class whose turn it is, among all of this one's rank; any of them when nothing can be dispatched."""
        waiting = [one for one in self.levels[line.level] if self._settle(one)]
        return min(waiting, key=lambda one: one.finish, default=line)

    def _settle(self, line: Line) -> bool:
        """Take from the top of the turns what cannot have one. Whether anything is left."""
        turns = line.turns
        while turns:
            entry = turns[0][2]
            place, queue = entry.place, entry.queue
            if queue.count and (not queue.returned or queue.has(place.member.endpoint)):
                model = place.model
                if place.in_flight < place.seats and model.in_flight < model.maximum:
                    return True
                self._closed(place)
            heappop(turns)
            entry.listed = False
        return False

    def _take_turn(self, line: Line) -> Request:
        turns = line.turns
        start, number, entry = turns[0]
        queue = entry.queue
        if queue.returned:
            request = self._queued(entry)
        else:
            request = queue.take()
            request.place = place = entry.place
            request.entry = entry
            place.model.waiting -= 1
        self.since += 1
        if start > line.virtual:
            line.virtual = start
        finish = start + request.cost * entry.per_cost + entry.adjust
        entry.adjust = 0.0
        if finish < line.virtual:
            finish = line.virtual
        entry.finish = finish
        if queue.count:
            heapreplace(turns, (finish, number, entry))
        else:
            heappop(turns)
            entry.listed = False
            if not turns and line.alone:
                self.waiting &= ~line.bit
        if not line.alone:
            self._charge_class(line, request.cost)
        return request

    def _charge_class(self, line: Line, cost: float) -> None:
        """The class had its turn among those of its rank, by the same queueing as everywhere."""
        start = max(line.finish, self.virtuals[line.level])
        self.virtuals[line.level] = start
        line.finish = start + cost * line.per_cost

    def _queued(self, entry: Entry) -> Request:
        """The next of this entry's queue, for its place, where somebody may go."""
        queue = entry.queue
        if queue.returned:
            again = queue.again(entry.place.member.endpoint)
            if again is not None:
                return self._out_of_turn(entry, again)
        request = queue.take()
        entry.place.model.waiting -= 1
        request.place = entry.place
        request.entry = entry
        return request

    def _out_of_turn(self, entry: Entry, request: Request) -> Request:
        model = entry.place.model
        model.waiting -= 1
        if not request.ticket:
            model.again -= 1
        entry.queue.take_out_of_turn(request)
        request.place = entry.place
        request.entry = entry
        return request

    def not_taken(self, request: Request) -> None:
        """The request just taken is not dispatched after all: its turn is nobody's."""
        if request is self.promoted:
            self.since = self.since_before
            self.promotions -= 1
        else:
            self.since -= 1
        self.wake(request.place)

    # ---- who starves

    def _take_starving(self, better: Line, now: float) -> Request | None:
        """The request that has starved longest, of those in worse classes; None: none has."""
        longest: tuple[float, int, Entry] | None = None
        for line in better.behind:
            if line.starving and line.starving[0][0] <= now:
                found = self._starving(line, now)
                if found is not None and (longest is None or found < longest):
                    longest = found
        return None if longest is None else self._promoted(longest[2])

    def _take_starving_of(self, place: Place, now: float) -> Request | None:
        """As `_take_starving`, of the classes of one place, beside the best that waits there."""
        waiting = [entry for entry in place.entries if entry.waits()]
        found: list[tuple[float, int, Entry]] = []
        for entry in waiting:
            oldest = entry.queue.oldest(place.member.endpoint)
            if oldest is not None and entry.line.level > waiting[0].line.level:
                found.append((oldest.arrived + entry.line.starvation_after, entry.number, entry))
        if not found or min(found)[0] > now:
            return None
        return self._promoted(min(found)[2])

    def _starving(self, line: Line, now: float) -> tuple[float, int, Entry] | None:
        starving = line.starving
        while starving and starving[0][0] <= now:
            due, number, entry = starving[0]
            oldest = entry.queue.oldest(entry.place.member.endpoint)
            if oldest is None or self._closed(entry.place):
                heappop(starving)
                entry.watched = False
                continue
            actual = oldest.arrived + line.starvation_after
            if actual <= due:
                return starving[0]
            heapreplace(starving, (actual, number, entry))
        return None

    def _promoted(self, entry: Entry) -> Request | None:
        """The oldest of this entry's queue for its place, before those of better classes; None: none may go there."""
        request = entry.queue.oldest(entry.place.member.endpoint)
        if request is None:
            return None
        self._out_of_turn(entry, request)
        entry.adjust += request.cost * entry.per_cost
        self.since_before, self.since = self.since, 1
        self.promoted = request
        self.promotions += 1
        return request

    # ---- seats

    def resize(self, limits: LimitSettings, seats: int) -> None:
        """So many seats from now on; minimums follow from the `share` of each place, as far as the limit allows."""
        self.limiter.resize(limits, seats, min(seats, sum(place.share for place in self.places)))
        self.adopt()

    def close(self, classes: Classes, limits: LimitSettings) -> None:
        """It is gone: nothing waits for it any more, and what is in flight there ends."""
        self.places = []
        self.arrange(classes)
        self.resize(limits, 0)

    def adopt(self) -> None:
        """Use the limiter's value; minimums that it has no room for are lowered in proportion."""
        self.limit = self.limiter.value
        minimums = scaled_down([place.share for place in self.places], self.limit)
        for place, minimum in zip(self.places, minimums, strict=True):
            raised = minimum > place.minimum
            place.minimum = minimum
            if raised and place.model.waiting and place.in_flight < minimum:
                self.want(place)
        self.reserve()

    def left_to_others(self, place: Place) -> int:
        """Seats that this engine's refusals leave: all that the other engines here have, and one for itself.

        They say nothing about the others, which may be well, and another team's. 0 where there are none.
        """
        others = sum(one.seats for one in self.places if one is not place)
        return others + 1 if others else 0

    def reserve(self) -> None:
        """Count the seats that are kept free for models with headroom."""
        self.reserved = sum(
            min(place.headroom, max(0, place.minimum - place.in_flight)) for place in self.places if place.headroom
        )


def shared_out(amount: int, places: list[Place]) -> list[int]:
    """A model's number over its Ready places: over partitions by seats, then within each; never above the seats."""
    if not amount:
        return [0] * len(places)
    by_partition: dict[str, list[Place]] = {}
    for place in places:
        by_partition.setdefault(place.partition.key, []).append(place)
    seats = [sum(place.seats for place in at) for at in by_partition.values()]
    given: dict[Place, int] = {}
    for part, at in zip(divided(min(amount, sum(seats)), seats), by_partition.values(), strict=True):
        given.update(zip(at, divided(part, [place.seats for place in at]), strict=True))
    return [given[place] for place in places]


def _best_of(place: Place) -> Entry | None:
    """The best class of which somebody waits who may go to this place; None when nobody does."""
    for entry in place.entries:
        queue = entry.queue
        if queue.count and (not queue.returned or queue.has(place.member.endpoint)):
            return entry
    return None
