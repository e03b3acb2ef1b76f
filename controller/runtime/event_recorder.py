"""Events for people: what a controller did to an object and why, as `kubectl describe` shows it.

Recording never waits and never fails its caller: events go to a bounded queue that `run` empties; when it is full
the oldest are dropped and counted. The same note about the same object is written once in ten minutes.
"""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Literal

import structlog

from controller.runtime.client.client import Client
from controller.runtime.client.core import EVENTS
from controller.runtime.client.errors import ApiError
from controller.runtime.clock import Clock, RealClock
from controller.runtime.manifest import Manifest, uid_of

EventKind = Literal["Normal", "Warning"]

_QUIET_SECONDS = 600.0
_NOTE_BYTES = 1024  # the API's limit; a longer one is refused
_WRITERS = 4
_FLUSH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """Events since the start; `queued`: not written yet, `repeated`: left out as already told."""

    queued: int
    written: int
    repeated: int
    dropped: int
    failed: int


class EventRecorder:
    """Writes events.k8s.io/v1 Events as `component` (their reportingController). `capacity`: events held at most."""

    def __init__(
        self,
        client: Client,
        component: str,
        *,
        instance: str | None = None,
        clock: Clock | None = None,
        capacity: int = 1000,
    ) -> None:
        self._client = client
        self._component = component
        self._instance = instance or component
        self._clock = clock or RealClock()
        self._capacity = capacity
        self._queue: deque[Manifest] = deque()
        self._told: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._wanted = asyncio.Semaphore(0)
        self._stopping = False
        self._written = self._repeated = self._dropped = self._failed = 0
        self._log = structlog.get_logger(__name__).bind(component=component)

    def __str__(self) -> str:
        return f"event recorder of {self._component}"

    def record(self, regarding: Manifest, type: EventKind, reason: str, note: str, action: str) -> None:  # noqa: A002
        """Queue an event about the object `regarding` (with apiVersion, kind and metadata).

        `reason` and `action` are CamelCase words (why; what was done), `note` a sentence, cut at 1,024 bytes.
        """
        key = (uid_of(regarding) or regarding["metadata"]["name"], reason, note)
        if self._already_told(key):
            self._repeated += 1
            return
        if len(self._queue) >= self._capacity:
            self._queue.popleft()
            self._dropped += 1
        else:
            self._wanted.release()
        self._queue.append(self._event(regarding, type, reason, note, action))

    async def run(self) -> None:
        """Write queued events until `stop` (which writes what is left) or cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(_WRITERS):
                tasks.create_task(self._write_all(), name=f"{self} writer {number}")

    def stop(self) -> None:
        """Write what is queued, for two seconds at most, and let `run` return."""
        self._stopping = True
        for _ in range(_WRITERS):
            self._wanted.release()

    def statistics(self) -> RecorderStatistics:
        """The figures of this moment."""
        return RecorderStatistics(len(self._queue), self._written, self._repeated, self._dropped, self._failed)

    async def _write_all(self) -> None:
        while True:
            await self._wanted.acquire()
            if self._stopping:
                break
            await self._write(self._queue.popleft())
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                while self._queue:
                    await self._write(self._queue.popleft())
        except TimeoutError:
            self._log.warning("events left unwritten at the stop", events=len(self._queue))

    async def _write(self, event: Manifest) -> None:
        try:
            await self._client.create(EVENTS, event)
            self._written += 1
        except ApiError as error:
            # An event is a courtesy: its object's namespace may be going away, or the server may be.
            self._failed += 1
            self._log.warning("event not written", reason=event["reason"], error=str(error))

    def _already_told(self, key: tuple[str, str, str]) -> bool:
        now = self._clock.monotonic()
        while self._told and now - next(iter(self._told.values())) >= _QUIET_SECONDS:
            self._told.popitem(last=False)
        if key in self._told:
            return True
        self._told[key] = now
        return False

    def _event(self, regarding: Manifest, kind: str, reason: str, note: str, action: str) -> Manifest:
        metadata = regarding["metadata"]
        # Events about cluster-scoped objects live in "default", as the API demands.
        namespace = metadata.get("namespace") or "default"
        reference = {
            "apiVersion": regarding.get("apiVersion"),
            "kind": regarding.get("kind"),
            "namespace": metadata.get("namespace"),
            "name": metadata["name"],
            "uid": metadata.get("uid"),
            "resourceVersion": metadata.get("resourceVersion"),
        }
        return {
            "metadata": {"generateName": f"{metadata['name'][:200]}-", "namespace": namespace},
            "eventTime": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": self._component,
            "reportingInstance": self._instance[:128],
            "type": kind,
            "reason": reason,
            "action": action,
            "note": note.encode()[:_NOTE_BYTES].decode(errors="ignore"),
            "regarding": {name: value for name, value in reference.items() if value},
        }
