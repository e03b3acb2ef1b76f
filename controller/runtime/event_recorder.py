"""Events for people: what a controller did to an object and why, as `kubectl describe` shows it.

Recording never waits and never fails its caller: `event_correlation` decides which Event an occurrence belongs to,
a bounded queue keeps what is to be written, and `run` writes it. The same again within ten minutes is counted in its
Event's series; many different notes of one reason become one Event; an object that asks for too many gets no more.
"""

import asyncio
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from random import Random

from controller.runtime.client.client import Client
from controller.runtime.client.core import EVENTS
from controller.runtime.client.errors import AlreadyExists, NotFound, Timeout, TooManyRequests, Unavailable
from controller.runtime.clock import Clock, RealClock
from controller.runtime.event_correlation import EventCorrelator, EventKind, Occurrence, Series
from controller.runtime.logger import Logger
from controller.runtime.manifest import AnyObject, Manifest, uid_of, version_of
from controller.runtime.objects.metadata import KubeObject

__all__ = ["EventKind", "EventRecorder", "RecorderStatistics"]

_NOTE_BYTES = 1024  # the API's limit; a longer one is refused
_INSTANCE_CHARACTERS = 128
_WRITERS = 4
_FLUSH_SECONDS = 2.0
# Between tries of a write that nobody answered, and how many: two minutes of an API server that is away.
_RETRY_SECONDS = 10.0
_TRIES = 12
# The longest sleep of the pacer: what becomes due earlier while it sleeps is late by this at most.
_PACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """Events since the start; `queued`: not written yet, `repeated`: counted in an Event that was there already.

    `dropped`: left the queue unwritten because it was full, `failed`: refused, or nobody answered for two minutes,
    `limited`: left out because their object had too many.
    """

    queued: int
    written: int
    repeated: int
    dropped: int
    failed: int
    limited: int


@dataclass(slots=True)
class _Counts:
    written: int = 0
    repeated: int = 0
    dropped: int = 0
    failed: int = 0
    limited: int = 0


class EventRecorder:
    """Writes events.k8s.io/v1 Events as `component` (their reportingController). `capacity`: held at most.

    `instance`: which of the component's processes, for people; None: the component's name. From one event loop only.
    """

    def __init__(
        self,
        client: Client,
        component: str,
        *,
        instance: str | None = None,
        clock: Clock | None = None,
        capacity: int = 1000,
        rng: Random | None = None,
    ) -> None:
        self._client = client
        self._component = component
        self._instance = (instance or component)[:_INSTANCE_CHARACTERS]
        self._clock = clock or RealClock()
        self._capacity = capacity
        self._rng = rng or Random()  # noqa: S311 - spreads load, guards nothing
        self._correlator = EventCorrelator()
        self._queue: deque[Series] = deque()
        self._wanted = asyncio.Semaphore(0)
        self._waiting = asyncio.Event()
        self._stopped = asyncio.Event()
        self._counts = _Counts()
        self._log = Logger(__name__).bind(component=component)

    def __str__(self) -> str:
        return f"event recorder of {self._component}"

    def record(self, regarding: AnyObject, type: EventKind, reason: str, note: str, action: str) -> None:  # noqa: A002
        """Tell that something happened to the object `regarding` (with apiVersion, kind and metadata).

        `reason` and `action` are CamelCase words (why; what was done), `note` a sentence, cut at 1,024 bytes.
        """
        reference = _reference(regarding)
        if "name" not in reference:
            self._counts.failed += 1
            self._log.error("an event about an object without a name", reason=reason, kind=reference.get("kind"))
            return
        occurrence = Occurrence(reference, type, reason, action, _cut(note))
        series = self._correlator.observe(occurrence, self._clock.monotonic(), self._clock.now())
        if series is None:
            self._counts.limited += 1
            return
        self._counts.repeated += series.count > 1
        self._hand_over(series)

    async def run(self) -> None:
        """Write Events until `stop` (which writes what is left) or cancelled.

        Raises a group with the LeaseLost of a guarded client; nothing more is written then, and nothing tried again.
        """
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._write_all(), name=f"{self} writer {number}") for number in range(_WRITERS)
            ]
            running.append(tasks.create_task(self._pace(), name=f"{self} pacer"))
            await self._stopped.wait()
            for task in running:
                task.cancel()
        await self._flush()

    def stop(self) -> None:
        """Write what is queued or waits, for two seconds at most, and let `run` return."""
        self._stopped.set()

    def statistics(self) -> RecorderStatistics:
        """The figures of this moment."""
        return RecorderStatistics(queued=len(self._queue), **asdict(self._counts))

    def _hand_over(self, series: Series) -> None:
        """Queue `series`, now or when its time has come, unless somebody has it in hand."""
        if series.held:
            return
        series.held = True
        if self._correlator.may_be_told(series, self._clock.monotonic()):
            self._enqueue(series)
        else:
            self._waiting.set()

    def _enqueue(self, series: Series) -> None:
        if len(self._queue) >= self._capacity:
            self._queue.popleft().held = False
            self._counts.dropped += 1
        else:
            self._wanted.release()
        self._queue.append(series)

    async def _write_all(self) -> None:
        while True:
            await self._wanted.acquire()
            series = self._queue.popleft()
            try:
                if not await self._write(series):
                    # It stays in this hand meanwhile: in the queue, the next writer would try it at once.
                    await self._clock.sleep(_RETRY_SECONDS * (0.75 + self._rng.random() / 2))
                    self._try_again(series)
            except asyncio.CancelledError:
                self._enqueue(series)
                raise

    def _try_again(self, series: Series) -> None:
        if series.attempts < _TRIES:
            self._enqueue(series)
        else:
            self._give_up(series, "nobody answered for two minutes")

    async def _pace(self) -> None:
        """Queue the counts that had to wait, when their time comes."""
        while True:
            await self._waiting.wait()
            due = self._correlator.next_due()
            if due is None:
                self._waiting.clear()
                continue
            await self._clock.sleep(min(due - self._clock.monotonic(), _PACE_SECONDS))
            for series in self._correlator.due(self._clock.monotonic()):
                self._enqueue(series)

    async def _flush(self) -> None:
        for series in self._correlator.take_waiting():
            self._enqueue(series)
        try:
            async with asyncio.timeout(_FLUSH_SECONDS), asyncio.TaskGroup() as tasks:
                for number in range(_WRITERS):
                    tasks.create_task(self._write_rest(), name=f"{self} last writer {number}")
        except TimeoutError:
            self._log.debug("the last events take too long")
        if self._queue:
            self._log.warning("events left unwritten at the stop", events=len(self._queue))

    async def _write_rest(self) -> None:
        while self._queue:
            series = self._queue.popleft()
            if not await self._write(series):
                self._queue.append(series)
                return  # an API server that is away will not be back in time for the rest

    async def _write(self, series: Series) -> bool:
        """Write `series` once; False when nobody answered, so that trying again makes sense."""
        total = series.count
        series.attempts += 1
        try:
            await self._send(series)
        except (Unavailable, Timeout, TooManyRequests):
            return False
        except Exception as error:  # noqa: BLE001 - a worker's edge
            # An event is a courtesy: its object's namespace may be going away, or we may not lead any more.
            self._give_up(series, str(error))
            return True
        self._counts.written += 1
        self._correlator.told(series, total, self._clock.monotonic())
        series.held = False
        if series.count > total:
            self._hand_over(series)
        return True

    async def _send(self, series: Series) -> None:
        if series.told and await self._patch(series):
            return  # else an hour passed, or somebody tidied up: the Event is made anew
        try:
            await self._client.create(EVENTS, self._event(series), _namespace(series))
        except AlreadyExists:
            if series.attempts == 1:
                raise
            # An earlier try arrived although its answer was lost; only what was counted since is missing.
            if series.count > 1:
                await self._patch(series)

    async def _patch(self, series: Series) -> bool:
        """Write the count; False when there is no such Event."""
        try:
            await self._client.merge_patch(EVENTS, series.name, {"series": _series(series)}, _namespace(series))
        except NotFound:
            return False
        return True

    def _give_up(self, series: Series, error: str) -> None:
        self._counts.failed += 1
        self._correlator.forget(series)
        self._log.warning("event not written", reason=series.occurrence.reason, error=error)

    def _event(self, series: Series) -> Manifest:
        occurrence = series.occurrence
        event: Manifest = {
            "metadata": {"name": series.name, "namespace": _namespace(series)},
            "eventTime": _micro_time(series.first),
            "reportingController": self._component,
            "reportingInstance": self._instance,
            "type": occurrence.type,
            "reason": occurrence.reason,
            "action": occurrence.action,
            "note": _cut(series.note),
            "regarding": dict(occurrence.regarding),
        }
        return event | {"series": _series(series)} if series.count > 1 else event


def _reference(regarding: AnyObject) -> dict[str, str]:
    """The ObjectReference of an object, with what it has of it."""
    if isinstance(regarding, KubeObject):
        found = {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "namespace": regarding.metadata.namespace,
            "name": regarding.metadata.name,
        }
    else:
        metadata = regarding.get("metadata") or {}
        found = {name: regarding.get(name, "") for name in ("apiVersion", "kind")}
        found |= {name: metadata.get(name, "") for name in ("namespace", "name")}
    found |= {"uid": uid_of(regarding), "resourceVersion": version_of(regarding)}
    return {name: value for name, value in found.items() if value}


def _namespace(series: Series) -> str:
    # Events about cluster-scoped objects live in "default", as the API demands.
    return series.occurrence.regarding.get("namespace", "default")


def _series(series: Series) -> Manifest:
    return {"count": series.count, "lastObservedTime": _micro_time(series.last)}


def _micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _cut(note: str) -> str:
    return note.encode()[:_NOTE_BYTES].decode(errors="ignore")
