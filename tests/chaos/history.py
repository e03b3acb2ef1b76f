"""All that happened in a run, as frozen facts in one order: what was stored by etcd's revisions, who wrote it and when
by the API server's audit log.

A killed API server may have stored what it never audited, and a stopped one answers 504 to what it stores afterwards:
so the store says what, and the log only who and when. Where the log is silent, what comes before and after bounds the
time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from e2e.engine.record import Entry
from tests.chaos.facts import Fact, Kind, Object, fact

OPERATOR: Final = "system:serviceaccount:aim-gpu-system:aim-gpu-operator"
IN_FLIGHT_SECONDS: Final = 5.0
"""From what somebody saw to the write that it led to, while nobody is disturbed."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One write as etcd holds it. `obj` None: the key was removed."""

    number: int
    kind: Kind
    key: str
    obj: Object | None


@dataclass(frozen=True, slots=True)
class Audited:
    """One write as the API server audited it. Times are of the machine's date, seconds: received and answered.

    `resource` is a plural, with its subresource after a slash; `version`: the object's afterwards, 0 where none was
    answered.
    """

    who: str
    verb: str
    resource: str
    key: str
    code: int
    received: float
    answered: float
    version: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One write, with the facts before and after it. `who` is "" where nobody knows; it took effect from `begun` to
    `done`."""

    revision: int
    kind: Kind
    key: str
    before: Fact | None
    after: Fact | None
    who: str
    begun: float
    done: float


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault as it was really injected; `targets`: the processes. `kind`: the fault's, as text."""

    kind: str
    targets: frozenset[str]
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class HardwareChange:
    """Modes that were set, or a driver that was reloaded, as the simulated hardware tells."""

    node: str
    what: str
    gpus: frozenset[str]
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """A person's creation of a pod that did not opt in. `refused` is "" when it was created."""

    pod: str
    begun: float
    ended: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a model, by its client. Monotonic seconds, as the engines' record. `ended`: "200" or what else."""

    service: str
    qos: str
    request: str
    at: float
    seconds: float
    ended: str


@dataclass(frozen=True, slots=True)
class Served:
    """What is promised to a service. `engines`: the uids of its pods."""

    minimum: int
    maximum: int | None
    engines: frozenset[str]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What clients asked and engines recorded. `disturbed`: (from, to) by the monotonic clock, during which anything
    was done to whoever is on a request's way."""

    asked: tuple[Asked, ...] = ()
    entries: tuple[Entry, ...] = ()
    served: Mapping[str, Served] = field(default_factory=dict)
    disturbed: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy of the run allows."""

    parallel_nodes: int = 1
    unavailable_pods: int = 1
    cooldown_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class History:
    """Everything. `stuck`: what was not as it must be when time was up after the last fault; `left`: what was there
    after everything was deleted. `ended`: when that was looked at."""

    changes: tuple[Change, ...] = ()
    audited: tuple[Audited, ...] = ()
    faults: tuple[Injected, ...] = ()
    hardware: tuple[HardwareChange, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    traffic: Traffic = Traffic()
    limits: Limits = Limits()
    stuck: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    ended: float = 0.0

    def seen_since(self, at: float) -> float:
        """What somebody decided on whose write came at that time was seen no earlier. Faults make it long ago: who was
        stopped acts on what he saw before.
        """
        since = at - IN_FLIGHT_SECONDS
        for one in sorted(self.faults, key=lambda each: each.ended, reverse=True):
            if one.begun <= at and one.ended >= since:
                since = min(since, one.begun - IN_FLIGHT_SECONDS)
        return since

    def disturbed(self, begun: float, ended: float, *kinds: str, targets: Iterable[str] = ()) -> bool:
        """Whether a fault (of these kinds, or of these processes, if any are named) lasted then or just before."""
        wanted = frozenset(targets)
        return any(
            one.begun <= ended and one.ended + IN_FLIGHT_SECONDS >= begun
            for one in self.faults
            if (not kinds or one.kind in kinds) and (not wanted or one.targets & wanted)
        )


def audited(entry: Mapping[str, Any]) -> Audited | None:
    """The facts of one entry of the audit log; None for what is no finished write."""
    if entry.get("stage") != "ResponseComplete" or "objectRef" not in entry:
        return None
    ref = entry["objectRef"]
    namespace, name = ref.get("namespace", ""), ref.get("name", "")
    answer = entry.get("responseObject") or {}
    metadata = answer.get("metadata") or {}
    name = name or metadata.get("name", "")
    version = str(metadata.get("resourceVersion", ""))
    who = (entry.get("impersonatedUser") or entry["user"])["username"]
    subresource = f"/{ref['subresource']}" if ref.get("subresource") else ""
    return Audited(
        who=who,
        verb=entry["verb"],
        resource=f"{ref['resource']}{subresource}",
        key=f"{namespace}/{name}" if namespace else name,
        code=int((entry.get("responseStatus") or {}).get("code", 0)),
        received=datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp(),
        answered=datetime.fromisoformat(entry["stageTimestamp"]).timestamp(),
        version=int(version) if version.isdecimal() and answer.get("kind") != "Status" else 0,
    )


def changes(revisions: Iterable[Revision], log: Iterable[Audited], start: float, end: float) -> Iterator[Change]:
    """Every write in the store's order. `start`, `end`: when the run began and ended."""
    by_version: dict[int, Audited] = {}
    for entry in log:
        if entry.version and entry.code < 300:
            by_version.setdefault(entry.version, entry)  # later ones changed nothing, and were answered the same
    state: dict[tuple[Kind, str], Fact] = {}
    found: list[Change] = []
    for one in revisions:
        before = state.pop((one.kind, one.key), None)
        after = None if one.obj is None else fact(one.kind, one.obj)
        if after is not None:
            state[one.kind, one.key] = after
        told = by_version.get(one.number)
        who, begun, done = (told.who, told.received, told.answered) if told else ("", 0.0, 0.0)
        found.append(Change(one.number, one.kind, one.key, before, after, who, begun, done))
    yield from _bounded(found, start, end)


def _bounded(found: Sequence[Change], start: float, end: float) -> Iterator[Change]:
    """Those without times get those of their neighbours: after the last that was received, before the next answer."""
    answers, earliest = list[float](), end
    for one in reversed(found):
        earliest = min(earliest, one.done) if one.done else earliest
        answers.append(earliest)
    latest = start
    for one, done in zip(found, reversed(answers), strict=True):
        latest = max(latest, one.begun)
        yield one if one.done else replace(one, begun=min(latest, done), done=done)
