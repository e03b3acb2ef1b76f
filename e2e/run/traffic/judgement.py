"""What the scene of the flooded neighbour showed, by the record of the engines: not by the gateway's own word. Pure.

Two models share a partition that has fewer seats than both might use. One, the neighbour, is promised some of them; the
other has a maximum and the better class, and is sent far more than it may have. Then

- no engine ever had more requests than its seats, both together never more than the partition's, and the flooded model
  never more than its maximum;
- the flood was one: while the neighbour was away the flooded model had seats of the neighbour's minimum as well, and
  requests were left over;
- as the neighbour came back, its requests waited no longer for their beginning at the engine than any one request is in
  flight, for of the seats that come free its minimum is served first;
- asked for more than it is promised, it had its minimum all the time, and no more: the rest is the better class's.

What the machine itself was late by, as the callers' own clock shows, is not held against anybody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from e2e.engine.judge import excesses, most_in_flight, seats_of
from e2e.engine.record import Entry
from e2e.run.latency import percentile
from e2e.run.traffic.sent import Sent

_NEAR = 0.5
"""A seat that is passed on is for a moment nobody's: by so many seats the mean may stay below what is promised."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Who is who: services, as "namespace/name", and what they are promised (requests at once).

    `seats`: requests that both together may have in flight: fewer than minimum and maximum are together.
    """

    neighbour: str
    flooded: str
    minimum: int
    maximum: int
    seats: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What the callers saw: the neighbour's requests without the flood and with it, and the flood's own.

    `beside_flood`: with as many callers as it is promised requests; `crowd`: with more. `crowded`: from when to when
    there were more, by the machine's monotonic clock. `late_seconds`: by how much the callers' process was ever late to
    run, while the flood was on.
    """

    calm: Sequence[Sent]
    beside_flood: Sequence[Sent]
    crowd: Sequence[Sent]
    flood: Sequence[Sent]
    crowded: tuple[float, float]
    late_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Milliseconds from sending to the engine's beginning, and of the first token; `problems` says what is wrong.

    The flood may add `wait_bound_ms` to the wait without it, and `late_ms` were the machine's. `most_flooded`,
    `most_together`: requests that the flooded model, and both, had at once. `kept`, `most_crowded`: what the neighbour
    had while it asked for more than it is promised, on average and at most. `left_over`: requests of the flood that
    were refused.
    """

    calm_wait_p99_ms: float
    wait_p99_ms: float
    wait_bound_ms: float
    late_ms: float
    calm_first_p99_ms: float
    first_p99_ms: float
    most_flooded: int
    most_together: int
    kept: float
    most_crowded: int
    left_over: int
    problems: tuple[str, ...]


def judge(roles: Roles, scene: Scene, entries: Sequence[Entry], services: Mapping[str, str]) -> Judgement:
    """Judge by the engines' record. `services` has the service of each engine, by its pod's uid."""

    def service_of(entry: Entry) -> str:
        return services.get(entry.engine, "")

    def together(entry: Entry) -> str:
        return entry.partition if service_of(entry) in (roles.neighbour, roles.flooded) else ""

    begun = beginnings(entries)
    calm, beside = waits(scene.calm, begun), waits(scene.beside_flood, begun)
    own = [entry for entry in entries if service_of(entry) == roles.neighbour]
    kept, most_crowded = in_flight_between(own, *scene.crowded)
    partitions = {together(entry) for entry in own}
    found = Judgement(
        calm_wait_p99_ms=_seconds(calm, 99) * 1000,
        wait_p99_ms=_seconds(beside, 99) * 1000,
        wait_bound_ms=longest(entry for entry in entries if together(entry)) * 1000,
        late_ms=scene.late_seconds * 1000,
        calm_first_p99_ms=_seconds(_firsts(scene.calm), 99) * 1000,
        first_p99_ms=_seconds(_firsts(scene.beside_flood), 99) * 1000,
        most_flooded=most_in_flight(entries, service_of).get(roles.flooded, 0),
        most_together=max((most_in_flight(entries, together).get(one, 0) for one in partitions), default=0),
        kept=kept,
        most_crowded=most_crowded,
        left_over=sum(not sent.answered for sent in scene.flood),
        problems=(),
    )
    limits = [
        *excesses(entries, lambda entry: entry.engine, seats_of(entries)),
        *excesses(entries, service_of, {roles.flooded: roles.maximum}),
        *excesses(entries, together, dict.fromkeys(partitions, roles.seats)),
    ]
    return replace(found, problems=(*map(str, limits), *_shortcomings(roles, scene, found)))


def waits(sent: Iterable[Sent], begun: Mapping[str, float]) -> list[float]:
    """Seconds from sending until an engine began, of answered requests. `begun`: when it did, by the request's id.

    One that was answered and never begun is a hole in the record: KeyError, for nothing could be judged by it then.
    """
    return [begun[one.request] - one.at for one in sent if one.answered]


def beginnings(entries: Iterable[Entry]) -> dict[str, float]:
    """When each request first began at an engine, by its id."""
    found: dict[str, float] = {}
    for entry in entries:
        if entry.event == "begin":
            request = entry.request.rpartition("/")[0]
            found[request] = min(entry.at, found.get(request, entry.at))
    return found


def longest(entries: Iterable[Entry]) -> float:
    """The longest that any request was in flight, in seconds; 0 where none has ended."""
    begun: dict[tuple[str, str], float] = {}
    most = 0.0
    for entry in entries:
        if entry.event == "begin":
            begun[entry.engine, entry.request] = entry.at
        elif (since := begun.pop((entry.engine, entry.request), None)) is not None:
            most = max(most, entry.at - since)
    return most


def in_flight_between(entries: Iterable[Entry], start: float, end: float) -> tuple[float, int]:
    """How many of these requests were in flight from `start` to `end`, on average and at most."""
    now, most, area, last = 0, 0, 0.0, start
    for entry in sorted(entries, key=lambda one: (one.at, one.event == "begin")):
        if entry.at >= end:
            break
        if entry.at > last:
            area += now * (entry.at - last)
            last = entry.at
            most = max(most, now)
        now += 1 if entry.event == "begin" else -1
    area += now * (end - last)
    return (area / (end - start) if end > start else 0.0), max(most, now)


def _shortcomings(roles: Roles, scene: Scene, found: Judgement) -> Iterable[str]:
    asked = (*scene.beside_flood, *scene.crowd)
    lost = [sent.reason for sent in asked if not sent.answered]
    if lost:
        yield f"{len(lost)} requests of {roles.neighbour} were not answered beside the flood: {', '.join(set(lost))}"
    if not scene.beside_flood or not scene.calm or not scene.crowd:
        yield f"{roles.neighbour} was not asked, so nothing was shown"
    others = roles.seats - roles.minimum
    if found.most_flooded <= others or not found.left_over:
        yield (
            f"{roles.flooded} was not flooded: {found.most_flooded} requests at once, of {roles.maximum} that it may "
            f"have and {others} that {roles.neighbour} is not promised; {found.left_over} left over"
        )
    if found.wait_p99_ms > found.calm_wait_p99_ms + found.wait_bound_ms + found.late_ms:
        yield (
            f"requests of {roles.neighbour} waited {found.wait_p99_ms:.0f} ms (p99) beside the flood and "
            f"{found.calm_wait_p99_ms:.0f} ms without it; {found.wait_bound_ms:.0f} ms more is the longest that a "
            f"request was in flight, and {found.late_ms:.0f} ms the machine was late"
        )
    if found.kept < roles.minimum - _NEAR:
        yield (
            f"{roles.neighbour} had {found.kept:.1f} requests in flight beside the flood on average, it is promised "
            f"{roles.minimum} and asked for more"
        )
    if found.most_crowded > roles.minimum:
        yield (
            f"{roles.neighbour} had {found.most_crowded} requests at once beside the flood of a better class, beyond "
            f"{roles.minimum} that one goes first"
        )


def _firsts(sent: Iterable[Sent]) -> list[float]:
    return [one.first for one in sent if one.first is not None]


def _seconds(values: Sequence[float], percent: float) -> float:
    """A percentile; 0 without values, which is told as a problem of its own."""
    return percentile(values, percent) or 0.0
