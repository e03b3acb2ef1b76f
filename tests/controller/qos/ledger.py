"""A second book of what a `QoSManager` does, kept from its calls and callbacks alone, and the rules judged by it.

It knows nothing of how the core decides: who waits, who is in flight where, and what the settings say. `check` is what
has to hold after every call, `_judge` what has to hold at every dispatch.
"""

from collections import Counter
from dataclasses import dataclass, field

from controller.qos.manager import QoSManager
from controller.qos.refusal import Refusal
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

    def __post_init__(self) -> None:
        self.at: dict[str, str] = {}
        self.since: dict[str, int] = {}
        self.keeps_turn: Request | None = None
        self.serial = 0
        self._members()
        self.manager = QoSManager(
            self.settings, self.now, on_dispatch=self._dispatched, on_refuse=self._refused, jitter=lambda: 0.5
        )

    def _members(self) -> None:
        parts = self.settings.partitions.values()
        self.member = {one.endpoint: one for part in parts for one in part.members}
        self.at |= {one.endpoint: part.partition for part in parts for one in part.members}
        self.ranks = {one.name: one.rank for one in self.settings.classes}

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
        request.payload = self.serial = self.serial + 1
        self.outcomes["arrived"] += 1
        self.waiting.append(request)
        self.manager.arrive(request, self.now)
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
        before = len(self.refused)
        left = set(self.settings.models) - set(settings.models)
        if settings.starvation_every != self.settings.starvation_every or settings.classes != self.settings.classes:
            self.since.clear()
        self.since = {key: since for key, since in self.since.items() if key in settings.partitions}
        self.settings = settings
        self._members()
        self.manager.configure(settings, self.now)
        lost = [
            (one.payload, why.reason)
            for one, why in self.refused[before:]
            if one.model not in left and not why.reason.startswith("Deadline")  # a deadline runs out with or without
        ]
        if lost:
            raise Broken("a reload loses no request", f"refused {lost}")
        self.check()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = self.manager.advance(self.now)
        if due is not None and due <= self.now:
            raise Broken("advance does all that is due", f"at {self.now} it wants to be called at {due}")
        for one in self.waiting:
            if one.arrived + self.settings.models[one.model].queue_timeout <= self.now:
                raise Broken("nobody waits longer than the queue's timeout", f"{one.payload} at {self.now}")
            if one.deadline is not None and one.deadline <= self.now:
                raise Broken("nobody waits beyond its deadline", f"{one.payload} at {self.now}")
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
        self.waiting.remove(request)
        self._end(request, "refused")
        self.refused.append((request, why))
        if why.retry_after is not None and not 1 <= why.retry_after <= 30:
            raise Broken("Retry-After is from 1 to 30 s", f"{why}")

    def _dispatched(self, request: Request, member: Member) -> None:
        if request not in self.waiting:
            raise Broken("who is dispatched was waiting", f"{request.payload}")
        promoted = request is not self.keeps_turn and self._judge(request, member)
        self.waiting.remove(request)
        self.flying[request] = member.endpoint
        partition = self.at[member.endpoint]
        self.dispatches.append(Dispatch(request, member.endpoint, partition, self.now, promoted))
        self._bounds(request, member, partition)

    # ---- rules at a dispatch

    def _judge(self, request: Request, member: Member) -> bool:
        """Whether it is a promotion; Broken if it should not be dispatched before those who wait."""
        partition = self.at[member.endpoint]
        needy = [one for one in self._needy(partition) if one.model != request.model]
        if not self._below(member) and needy:
            raise Broken("models below their minimum come first", f"{request.payload} before {needy[0].payload}")
        rank = self.ranks[request.qos_class]
        if self._below(member):
            better = [one for one in needy if self.ranks[one.qos_class] < min(rank, self._best(request.model))]
            if better:
                raise Broken("of those below their minimum the best class is first", f"{request.payload}")
            rivals = [one for one in self.waiting if self._open(one, member)]
        else:
            rivals = [one for one in self.waiting if self._may_go_to(one, partition)]
        self.since[partition] = self.since.get(partition, 1 << 30) + 1
        passed = [one for one in rivals if self.ranks[one.qos_class] < rank]
        if not passed:
            return False
        after = next(one.starvation_after for one in self.settings.classes if one.name == request.qos_class)
        if request.arrived + after > self.now:
            raise Broken("a better class comes first", f"{request.payload} before {passed[0].payload}")
        if self.since[partition] < self.settings.starvation_every:
            raise Broken("one promotion in so many dispatches", f"after {self.since[partition]} at {partition}")
        self.since[partition] = 0
        return True

    def _best(self, model: str) -> int:
        return min(self.ranks[one.qos_class] for one in self.waiting if one.model == model)

    def _may_go_to(self, request: Request, partition: str) -> bool:
        return any(self._open(request, one) for one in self.member.values() if self.at[one.endpoint] == partition)

    def _needy(self, partition: str) -> list[Request]:
        """Those who wait for a place of this partition that is below its minimum and has a seat."""
        below = [
            one for one in self.member.values() if self.at[one.endpoint] == partition and one.ready and self._below(one)
        ]
        return [one for one in self.waiting for at in below if self._open(one, at)]

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
        return self.manager.statistics().partitions[partition].limit

    def count(self, endpoint: str) -> int:
        return sum(one == endpoint for one in self.flying.values())

    def share(self, member: Member) -> int:
        """The minimum of one pod, worked out anew from the settings."""
        shares = {
            one.endpoint: part
            for model in self.settings.models.values()
            for one, part in self._shares(model, model.minimum)
        }
        partition = self.at[member.endpoint]
        here = [one for one in self.settings.partitions[partition].members if one.ready]
        scaled = scaled_down([shares[one.endpoint] for one in here], self.limit(partition))
        return next((part for one, part in zip(here, scaled, strict=True) if one.endpoint == member.endpoint), 0)

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
        for model in self.settings.models.values():
            for one, headroom in self._shares(model, model.headroom):
                if self.at[one.endpoint] == partition and headroom:
                    share = self.share(one)
                    kept += min(headroom, share, max(0, share - self.count(one.endpoint)))
        return kept

    def _open(self, request: Request, member: Member) -> bool:
        """Whether a request that waits could go to this pod now."""
        if member.model != request.model or not member.ready or member.endpoint not in self.member:
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
        self._check_sums()

    def _check_sums(self) -> None:
        seen = self.manager.statistics()
        for key, model in seen.models.items():
            queued, flying = sum(one.model == key for one in self.waiting), sum(one.model == key for one in self.flying)
            if (sum(model.queued.values()), model.in_flight) != (queued, flying):
                raise Broken("sizes are right", f"{key}: {model}, in truth {queued} wait, {flying} fly")
            ended = model.completed + model.cancelled + sum(model.refused.values())
            if model.arrived != ended + queued + flying:
                raise Broken("counters sum up", f"{key}: {model}")
        for partition, one in seen.partitions.items():
            flying = sum(self.at[endpoint] == partition for endpoint in self.flying.values())
            if one.in_flight != flying:
                raise Broken("seats are kept", f"{partition}: {one}, in truth {flying} fly")
