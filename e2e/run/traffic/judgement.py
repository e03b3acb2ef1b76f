"""What the scene of the flooded neighbour showed, by the record of the engines: not by the gateway's own word. Pure.

Two models share a partition. One, the neighbour, is promised so many requests at once; the other has a maximum, and is
sent far more than that. Then

- no engine ever had more requests than seats, and the flooded model never more than its maximum;
- the flood was one: the maximum was reached, and requests were left over;
- the flood put off the beginning of the neighbour's requests at its engine by less than the time that one request
  takes, divided by its promised seats, though it always had as many under way as it was promised.

What the machine itself was late by, as the callers' own clock shows, is not held against anybody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from e2e.engine.judge import excesses, most_in_flight, seats_of
from e2e.engine.record import Entry
from e2e.run.latency import percentile
from e2e.run.traffic.sent import Sent


@dataclass(frozen=True, slots=True)
class Roles:
    """Who is who: services, as "namespace/name", and what they are promised (requests at once)."""

    neighbour: str
    flooded: str
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What the callers saw: the neighbour's requests without the flood and with it, and the flood's own.

    `late_seconds`: by how much the callers' process was ever late to run, while the flood was on.
    """

    calm: Sequence[Sent]
    beside_flood: Sequence[Sent]
    flood: Sequence[Sent]
    late_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Milliseconds from sending to the engine's beginning, and of the first token; `problems` says what is wrong.

    The flood may add `wait_bound_ms` to the wait without it, and `late_ms` were the machine's. `most_flooded`: requests
    that the flooded model had at once. `left_over`: requests of the flood that were refused.
    """

    calm_wait_p99_ms: float
    wait_p99_ms: float
    wait_bound_ms: float
    late_ms: float
    calm_first_p99_ms: float
    first_p99_ms: float
    most_flooded: int
    left_over: int
    problems: tuple[str, ...]


def judge(roles: Roles, scene: Scene, entries: Sequence[Entry], services: Mapping[str, str]) -> Judgement:
    """Judge by the engines' record. `services` has the service of each engine, by its pod's uid."""

    def service_of(entry: Entry) -> str:
        return services.get(entry.engine, "")

    begun = beginnings(entries)
    calm, beside = waits(scene.calm, begun), waits(scene.beside_flood, begun)
    whole = _seconds([sent.whole for sent in scene.beside_flood if sent.whole is not None], 50)
    most = most_in_flight(entries, service_of).get(roles.flooded, 0)
    found = Judgement(
        calm_wait_p99_ms=_seconds(calm, 99) * 1000,
        wait_p99_ms=_seconds(beside, 99) * 1000,
        wait_bound_ms=whole / roles.minimum * 1000,
        late_ms=scene.late_seconds * 1000,
        calm_first_p99_ms=_seconds(_firsts(scene.calm), 99) * 1000,
        first_p99_ms=_seconds(_firsts(scene.beside_flood), 99) * 1000,
        most_flooded=most,
        left_over=sum(not sent.answered for sent in scene.flood),
        problems=(),
    )
    limits = [
        *excesses(entries, lambda entry: entry.engine, seats_of(entries)),
        *excesses(entries, service_of, {roles.flooded: roles.maximum}),
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


def _shortcomings(roles: Roles, scene: Scene, found: Judgement) -> Iterable[str]:
    lost = [sent.reason for sent in scene.beside_flood if not sent.answered]
    if lost:
        yield f"{len(lost)} requests of {roles.neighbour} were not answered beside the flood: {', '.join(set(lost))}"
    if not scene.beside_flood or not scene.calm:
        yield f"{roles.neighbour} was not asked, so nothing was shown"
    if found.most_flooded < roles.maximum or not found.left_over:
        yield (
            f"{roles.flooded} was not flooded: {found.most_flooded} of {roles.maximum} requests at once, "
            f"{found.left_over} left over"
        )
    if found.wait_p99_ms > found.calm_wait_p99_ms + found.wait_bound_ms + found.late_ms:
        yield (
            f"requests of {roles.neighbour} waited {found.wait_p99_ms:.0f} ms (p99) beside the flood and "
            f"{found.calm_wait_p99_ms:.0f} ms without it; {found.wait_bound_ms:.0f} ms more is one request's time a "
            f"promised seat, and {found.late_ms:.0f} ms the machine was late"
        )


def _firsts(sent: Iterable[Sent]) -> list[float]:
    return [one.first for one in sent if one.first is not None]


def _seconds(values: Sequence[float], percent: float) -> float:
    """A percentile; 0 without values, which is told as a problem of its own."""
    return percentile(values, percent) or 0.0
