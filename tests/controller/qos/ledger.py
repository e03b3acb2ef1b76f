"""A second book of what a `QoSManager` does, kept from its calls and callbacks alone, and the rules judged by it.

It knows nothing of how the core decides: who waits, who is in flight where, and what the settings say. `check` judges
what has to hold after every call, `_judge` and `_bounds` what has to hold at every dispatch.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import nan

from controller.qos.manager import QoSManager
from controller.qos.refusal import NO_ENDPOINT, SHED, Refusal
from controller.qos.request import Request
from controller.qos.settings import Member, ModelSettings, QoSSettings
from controller.qos.shares import divided, scaled_down


@dataclass
class Broken(AssertionError):
    """A rule does not hold. `rule` names it."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


@dataclass
class Dispatch:
    """What was decided, for tests that judge afterwards."""

    request: Request
    endpoint: str
    partition: str
    at: float
    promoted: bool


@dataclass
class Ledger:
    """Drives a manager and keeps the book. All calls go through it."""

    settings: QoSSettings
    now: float = 0.0
    waiting: list[Request] = field(default_factory=list)
    flying: dict[Request, str] = field(default_factory=dict)
    avoided: dict[Request, frozenset[str]] = field(default_factory=dict)
    ended: Counter[Request] = field(default_factory=Counter)
    refused: list[tuple[Request, Refusal]] = field(default_factory=list)
    dispatches: list[Dispatch] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    manager: QoSManager = field(init=False)

    def __post_init__(self) -> None:
        self.at: dict[str, str] = {}
        self.since: dict[str, float] = {}
        self.arriving: Request | None = None
        self.keeps_turn: Request | None = None
        self.due: dict[Request, tuple[float, int]] = {}
        self.configuring = False
        self._members()
        self.manager = QoSManager(
            self.settings, self.now, on_dispatch=self._dispatched, on_refuse=self._refused, jitter=lambda: 0.5
        )

    def _members(self) -> None:
        parts = self.settings.partitions.values()
        self.member = {one.endpoint: one for part in parts for one in part.members}
        self.at |= {one.endpoint: part.partition for part in parts for one in part.members}
        self.ranks = {one.name: one.rank for one in self.settings.classes}
        self._shares_at: dict[str, dict[str, int]] = {}

    # ---- calls

    def arrive(
        self,
        model: str,
        tenant: str = "t",
        qos_class: str | None = None,
        tokens: int = 100,
        deadline: float | None = None,
        limit: int | None = 100,
    ) -> Request:
        name = qos_class or self.settings.models[model].qos_class
        request = Request(model, tenant, name, tokens, limit, self.now, deadline)
        self.outcomes["arrived"] += 1
        request.payload = self.outcomes["arrived"]
        self.arriving = request
        expires = self.now + self.settings.models[model].queue_timeout
        self.due[request] = (expires if deadline is None else min(expires, deadline), self.outcomes["arrived"])
        before = sum(one.model == model for one in self.waiting)
        self.waiting.append(request)
        self.manager.arrive(request, self.now)
        self.arriving = None
        wait = sum(one.model == model for one in self.waiting)
        if wait > max(before, self.settings.models[model].queue_length):
            raise Broken("no queue is longer than it may be", f"{wait} for {model}")
        self.check()
        return request

    def complete(self, request: Request, output_tokens: int | None = None, *, overloaded: bool = False) -> None:
        del self.flying[request]
        self._end(request, "completed")
        self.manager.complete(request, self.now, output_tokens=output_tokens, overloaded=overloaded)
        self.check()

    def first_byte(self, request: Request) -> None:
        self.manager.first_byte(request, self.now)
        self.check()

    def give_back(self, request: Request, avoid: frozenset[str]) -> None:
        del self.flying[request]
        self.waiting.append(request)
        self.avoided[request] = avoid
        self.keeps_turn = request
        self.manager.give_back(request, self.now, avoid=avoid)
        self.keeps_turn = None
        self.check()

    def cancel(self, request: Request) -> None:
        if request in self.flying:
            del self.flying[request]
        elif request in self.waiting:
            self.waiting.remove(request)
        self._end(request, "cancelled")
        self.manager.cancel(request, self.now)
        self.check()

    def configure(self, settings: QoSSettings) -> None:
        """Other settings. The models that both have are not to lose a request by that."""
        # The core may have begun anew at a partition that was gone: as little as that is known, nothing is judged.
        self.since |= {key: nan for key in self.settings.partitions if key not in settings.partitions}
        for one in self.waiting if settings.classes != self.settings.classes else ():
            expires = one.arrived + settings.models[one.model].queue_timeout if one.model in settings.models else 0.0
            self.due[one] = (expires if one.deadline is None else min(expires, one.deadline), 0)
        self.settings = settings
        self._members()
        self.configuring = True
        self.manager.configure(settings, self.now)
        self.configuring = False
        self.check()

    def advance(self, seconds: float) -> None:
        """Time passes, and the manager is told."""
        self.now += seconds
        due = self.manager.advance(self.now)
        if due is not None and due <= self.now:
            raise Broken("advance does all that is due", f"at {self.now} it wants to be called at {due}")
        for one in self.waiting:
            expires = one.arrived + self.settings.models[one.model].queue_timeout
            if expires <= self.now:
                raise Broken("nobody waits longer than the queue's timeout", f"{one.payload} at {self.now}")
            if one.deadline is not None and one.deadline <= self.now:
                raise Broken("nobody waits beyond its deadline", f"{one.payload} at {self.now}")
            if due is None or due > expires:
                raise Broken("advance says when it is needed next", f"{due}, {one.payload} expires at {expires}")
        self.check()

    # ---- callbacks

    def _end(self, request: Request, how: str) -> None:
        self.ended[request] += 1
        self.outcomes[how] += 1
        if self.ended[request] > 1:
            raise Broken("each request ends once", f"{request.payload} is {how} after it ended")

    def _refused(self, request: Request, why: Refusal) -> None:
        if request not in self.waiting:
            raise Broken("who is refused was waiting", f"{request.payload}, {why.reason}")
        if why.retry_after is not None and not 1 <= why.retry_after <= 30:
            raise Broken("Retry-After is from 1 to 30 s", f"{why}")
        if why.reason == SHED:
            self._judge_shed(request)
        if self.configuring and request.model in self.settings.models and not why.reason.startswith("Deadline"):
            raise Broken("a reload loses no request", f"{request.payload} is refused: {why.reason}")
        if why.reason == NO_ENDPOINT and self._elsewhere(request):
            raise Broken("NoEndpoint is true", f"{request.payload} could go to {self._elsewhere(request)}")
        self.waiting.remove(request)
        self._end(request, "refused")
        self.refused.append((request, why))

    def _elsewhere(self, request: Request) -> list[str]:
        avoid = self.avoided.get(request, frozenset())
        return [
            one.endpoint
            for one in self.member.values()
            if one.model == request.model and one.ready and one.endpoint not in avoid
        ]

    def _judge_shed(self, victim: Request) -> None:
        """Who leaves a full queue is of the worst class that waits, worse than the new one, or has more waiting."""
        new = self.arriving
        if new is None or new.model != victim.model:
            raise Broken("one leaves a full queue for another one", f"{victim.payload}")
        rank, rank_of_new = self.rank(victim), self.rank(new)
        here = [one for one in self.waiting if one.model == new.model and one not in self.avoided]
        if any(self.rank(one) > rank for one in here):
            raise Broken("the worst class leaves first", f"{victim.payload}")
        its = [one for one in here if (one.tenant, one.qos_class) == (victim.tenant, victim.qos_class)]
        own = [one for one in here if (one.tenant, one.qos_class) == (new.tenant, victim.qos_class)]
        if rank < rank_of_new or (rank == rank_of_new and len(its) <= len(own)):
            raise Broken("nobody leaves for one who has no better right", f"{victim.payload} for {new.payload}")
        if self.due[victim] < max(self.due[one] for one in its):
            raise Broken("the last one of its tenant leaves", f"{victim.payload}")

    def _dispatched(self, request: Request, member: Member) -> None:
        if request not in self.waiting:
            raise Broken("who is dispatched was waiting", f"{request.payload}")
        if request.deadline is not None and request.deadline < self.now:
            raise Broken("nobody is dispatched after its deadline", f"{request.payload}")
        promoted = self._judge(request, member)
        self.waiting.remove(request)
        self.flying[request] = member.endpoint
        partition = self.at[member.endpoint]
        self.dispatches.append(Dispatch(request, member.endpoint, partition, self.now, promoted))
        self._bounds(request, member, partition)

    # ---- rules at a dispatch

    def _judge(self, request: Request, member: Member) -> bool:
        """Whether it is a promotion; Broken if it should not be dispatched before those who wait."""
        if not self._open(request, member):
            raise Broken("a seat is free where one is dispatched to", f"{request.payload} to {member.endpoint}")
        if request is self.keeps_turn:
            return False
        partition = self.at[member.endpoint]
        self._judge_needs(request, member, partition)
        below = self._below(member)
        rivals = [
            one
            for one in self.waiting
            if one not in (request, self.keeps_turn)
            and (self._open(one, member) if below else self._may_go_to(one, partition))
        ]
        if request is not self.arriving:  # else nobody who waits could have had the seat, so it counts for nobody
            self.since[partition] = self.since.get(partition, 1 << 30) + 1
        rank, every = self.rank(request), self.settings.starvation_every
        if not any(self.rank(one) < rank for one in rivals):
            starved = [one for one in rivals if self.rank(one) > rank and self._starves(one)]
            if starved and self.since.get(partition, every) >= every:
                raise Broken("starving requests get their turn", f"{starved[0].payload}, not {request.payload}")
            self._judge_flow(request)
            return False
        if not self._starves(request):
            raise Broken("a better class comes first", f"{request.payload}")
        if self.since[partition] < every:
            raise Broken("one promotion in so many dispatches", f"after {self.since[partition]} at {partition}")
        self.since[partition] = 0
        return True

    def _judge_needs(self, request: Request, member: Member, partition: str) -> None:
        """Models below their minimum come first: by class, then by how much of it they have."""
        rivals = [
            (one, at)
            for at in self.member.values()
            if self.at[at.endpoint] == partition and at.model != request.model and at.ready and self._below(at)
            for one in self.waiting
            if one is not self.keeps_turn and self._open(one, at)
        ]
        if rivals and not self._below(member):
            raise Broken("models below their minimum come first", f"{request.payload} before {rivals[0][0].payload}")
        best = min((self.rank(one) for one in self.waiting if self._open(one, member)), default=0)
        for one, at in rivals:
            rank = self.rank(one)
            if rank < best:
                raise Broken("of those below their minimum the best class is first", f"{request.payload}")
            if rank == best == self._best(at) and self._filled(at) < self._filled(member):
                raise Broken("then who has the smallest part of its minimum", f"{request.payload}")

    def _judge_flow(self, request: Request) -> None:
        """Within a tenant's requests of one class the one that has to be served first goes first."""
        if request in self.avoided:
            return
        for one in self.waiting:
            same = (one.model, one.tenant, one.qos_class) == (request.model, request.tenant, request.qos_class)
            if same and one not in self.avoided and self.due[one] < self.due[request]:
                raise Broken("the earliest deadline of a tenant goes first", f"{request.payload}, not {one.payload}")

    def _starves(self, request: Request) -> bool:
        after = next(one.starvation_after for one in self.settings.classes if one.name == request.qos_class)
        return request.arrived + after <= self.now

    def _best(self, member: Member) -> int:
        return min((self.rank(one) for one in self.waiting if self._open(one, member)), default=0)

    def _filled(self, member: Member) -> float:
        return self.count(member.endpoint) / self.share(member)

    def _may_go_to(self, request: Request, partition: str) -> bool:
        return any(self._open(request, one) for one in self.member.values() if self.at[one.endpoint] == partition)

    def _bounds(self, request: Request, member: Member, partition: str) -> None:
        at = [one for one in self.flying.values() if self.at[one] == partition]
        if len(at) > self.limit(partition):
            raise Broken("never more in flight than the limit", f"{len(at)} at {partition}")
        if self.count(member.endpoint) > self.member[member.endpoint].seats:
            raise Broken("never more in flight than an engine's seats", f"at {member.endpoint}")
        maximum = self.settings.models[request.model].maximum
        if maximum is not None and sum(one.model == request.model for one in self.flying) > maximum:
            raise Broken("never more than the maximum", request.model)
        if member.endpoint in self.avoided.get(request, frozenset()):
            raise Broken("nobody is sent where it was given back from", f"{request.payload}")
        if not self.member[member.endpoint].ready or member.model != request.model:
            raise Broken("only Ready pods of the model", f"{request.payload} to {member}")

    # ---- what there is

    def limit(self, partition: str) -> int:
        """The partition's limit: the core's word for it where it adapts, but never above the seats."""
        wanted = self.settings.partitions[partition]
        seats = sum(one.seats for one in wanted.members if one.ready)
        seats = seats if wanted.seats is None else min(seats, wanted.seats)
        if not self.settings.limit.adaptive:
            return seats
        limit = self.manager.statistics().partitions[partition].limit
        if not min(1, seats) <= limit <= seats:
            raise Broken("a limit is from 1 to the seats", f"{limit} of {seats} at {partition}")
        return limit

    def rank(self, request: Request) -> int:
        """Of its class; of one given back and about to be refused the class may be gone, and it is nobody's rival."""
        return self.ranks.get(request.qos_class, 1 << 30)

    def count(self, endpoint: str) -> int:
        return sum(one == endpoint for one in self.flying.values())

    def share(self, member: Member) -> int:
        """The minimum in force at one pod, worked out anew from the settings."""
        partition = self.at[member.endpoint]
        here = [one for one in self.settings.partitions[partition].members if one.ready]
        shares = self._divided("minimum")
        scaled = scaled_down([shares.get(one.endpoint, 0) for one in here], self.limit(partition))
        return next((part for one, part in zip(here, scaled, strict=True) if one.endpoint == member.endpoint), 0)

    def _divided(self, what: str) -> dict[str, int]:
        found = self._shares_at.get(what)
        if found is None:
            found = self._shares_at[what] = {
                one.endpoint: part
                for model in self.settings.models.values()
                for one, part in self._shares(model, getattr(model, what))
            }
        return found

    def _shares(self, model: ModelSettings, amount: int) -> list[tuple[Member, int]]:
        at = {
            part.partition: [one for one in part.members if one.ready and one.model == model.model]
            for part in self.settings.partitions.values()
        }
        at = {key: members for key, members in at.items() if members}
        seats = [sum(one.seats for one in members) for members in at.values()]
        found: list[tuple[Member, int]] = []
        for part, members in zip(divided(min(amount, sum(seats)), seats), at.values(), strict=True):
            found += zip(members, divided(part, [one.seats for one in members]), strict=True)
        return found

    def _below(self, member: Member) -> bool:
        return self.count(member.endpoint) < self.share(member)

    def _reserved(self, partition: str) -> int:
        """Seats kept free for models with headroom."""
        kept = 0
        for endpoint, headroom in self._divided("headroom").items():
            if headroom and self.at[endpoint] == partition:
                share = self.share(self.member[endpoint])
                kept += min(headroom, max(0, share - self.count(endpoint)))
        return kept

    def _open(self, request: Request, member: Member) -> bool:
        """Whether a request that waits could go to this pod now."""
        if member.model != request.model or not member.ready or self.member.get(member.endpoint) != member:
            return False
        maximum = self.settings.models[request.model].maximum
        if maximum is not None and sum(one.model == request.model for one in self.flying) >= maximum:
            return False
        if member.endpoint in self.avoided.get(request, frozenset()) or self.count(member.endpoint) >= member.seats:
            return False
        partition = self.at[member.endpoint]
        free = self.limit(partition) - sum(self.at[one] == partition for one in self.flying.values())
        return free > 0 and (self._below(member) or free > self._reserved(partition))

    # ---- rules after every call

    def check(self) -> None:
        for one in self.waiting:
            for member in self.member.values():
                if self._open(one, member):
                    raise Broken("no seat is free that somebody waits for", f"{one.payload} and {member.endpoint}")
        seen = self.manager.statistics()
        for key, model in seen.models.items():
            queued, flying = sum(one.model == key for one in self.waiting), sum(one.model == key for one in self.flying)
            if (sum(model.queued.values()), model.in_flight) != (queued, flying):
                raise Broken("sizes are right", f"{key}: {model}, in truth {queued} wait, {flying} fly")
            ended = model.completed + model.cancelled + sum(model.refused.values())
            if model.arrived != ended + queued + flying:
                raise Broken("counters sum up", f"{key}: {model}")
        for key, partition in seen.partitions.items():
            flying = sum(self.at[endpoint] == key for endpoint in self.flying.values())
            if partition.in_flight != flying:
                raise Broken("seats are kept", f"{key}: {partition}, in truth {flying} fly")
