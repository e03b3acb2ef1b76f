"""Takes part in an election: does what the state machine asks for, and keeps the fence in step with it."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from controller.runtime.client.configuration import ConfigurationError
from controller.runtime.client.errors import AlreadyExists, ApiError, Conflict, NotFound
from controller.runtime.clock import Clock
from controller.runtime.election.candidacy import Candidate, Phase, step
from controller.runtime.election.fence import Fence
from controller.runtime.election.lease_object import LeaseObject
from controller.runtime.election.reports import Do, Due, Failed, Found, Missing, Next, Refused, Report, Stop, Written


class Log(Protocol):
    """What a participant says. It must return at once: a line may wait for whoever reads it, a renewal must not."""

    def info(self, event: str, /, **keys: object) -> object:
        """An event in the order of things."""
        ...

    def warning(self, event: str, /, **keys: object) -> object:
        """An event that somebody may want to look into."""
        ...


class Participant:
    """One run for the lease, from standby to its end. `on_leading` is called once, when the lease is got."""

    def __init__(
        self,
        lease: LeaseObject,
        candidate: Candidate,
        fence: Fence,
        *,
        clock: Clock,
        rng: Random,
        log: Log,
        on_leading: Callable[[], None],
    ) -> None:
        self._lease = lease
        self._candidate = candidate
        self._fence = fence
        self._clock = clock
        self._rng = rng
        self._on_leading = on_leading
        self._stopping_until: float | None = None
        self._waiting: asyncio.Timeout | None = None
        self._look = False
        self._told_of_namespace = False
        self._log = log

    async def run(self, stop: asyncio.Event) -> None:
        """Get the lease and keep it until `stop`; then give it back. Raises LeaseLost, the fence closed.

        After `stop` it returns within two request timeouts, given back or not. Whoever cancels it closes the fence; the
        lease then runs out by itself.
        """
        report: Report = Due(self._clock.monotonic())
        while True:
            candidate, then = step(self._candidate, report, self._rng.random())
            self._moved(candidate)
            if then.do is Do.GIVE_UP:
                raise self._fence.close(then.why)
            if then.do is Do.END:
                return
            report = await self._act(then, stop)

    def look(self) -> None:
        """Do not wait longer: a standby looks at the Lease, which somebody has seen change; who leads renews it."""
        if self._waiting is None or self._waiting.expired():
            self._look = True  # a request is under way or about to be, and may be answered without the change
        else:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    def _moved(self, candidate: Candidate) -> None:
        before, self._candidate = self._candidate, candidate
        self._fence.holder = candidate.record.holder_identity
        if candidate.record.holder_identity != before.record.holder_identity:
            self._log.info("lease changed hands", holder=candidate.record.holder_identity)
        if candidate.phase is Phase.LEADING:
            self._fence.extend(candidate.valid_until)
            if before.phase is not Phase.LEADING:
                self._log.info("leading", transitions=candidate.record.lease_transitions)
                self._on_leading()
        elif candidate.phase is Phase.RELEASING:
            self._fence.close("given back")

    async def _act(self, then: Next, stop: asyncio.Event) -> Report:
        if stop.is_set() and self._stopping_until is None:
            now = self._clock.monotonic()
            self._stopping_until = now + self._candidate.timing.request_timeout
            return Stop(now)
        if then.do is Do.WAIT:
            return await self._wait(then.until, stop)
        return await self._request(then.do)

    async def _wait(self, until: float, stop: asyncio.Event) -> Report:
        patience = 0.0 if self._look else self._within(until)
        self._look = False
        try:
            async with asyncio.timeout(patience) as self._waiting:
                await stop.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting = None
        return Due(self._clock.monotonic())

    async def _request(self, do: Do) -> Report:
        sent = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._patience(sent)):
                return await (self._read(sent) if do is Do.READ else self._write(do, sent))
        except (Conflict, AlreadyExists, NotFound) as error:
            now = self._clock.monotonic()
            if do is Do.CREATE and isinstance(error, NotFound):
                return self._homeless(Failed(str(error), sent, now))
            return Refused(sent, now)
        except TimeoutError:
            now = self._clock.monotonic()
            return self._failed(do, Failed(f"no answer for {now - sent:.3g} s", sent, now))
        except (ApiError, ConfigurationError) as error:
            return self._failed(do, Failed(str(error), sent, self._clock.monotonic()))

    async def _read(self, sent: float) -> Report:
        found = await self._lease.read()
        now = self._clock.monotonic()
        return Missing(sent, now) if found is None else Found(*found, sent, now)

    async def _write(self, do: Do, sent: float) -> Report:
        record = self._candidate.record_for(do, self._clock.now())
        if do is Do.CREATE:
            version = await self._lease.create(record)
        else:
            version = await self._lease.replace(record, self._candidate.version)
        return Written(record, version, sent, self._clock.monotonic())

    def _failed(self, do: Do, report: Failed) -> Failed:
        self._log.warning("lease request failed", request=do.value, error=report.why)
        return report

    def _homeless(self, report: Failed) -> Failed:
        """There is nowhere to put a Lease: said once, and tried again, after a wait also by a leader."""
        if not self._told_of_namespace:
            self._told_of_namespace = True
            remedy = f"create the namespace of {self._fence.lease}, or elect in another one"
            self._log.warning("lease cannot be created", error=report.why, remedy=remedy)
        return report

    def _patience(self, sent: float) -> float:
        """Seconds for a request: never past the moment at which all is lost, or at which a stop must be done."""
        patience = self._candidate.timing.request_timeout
        if self._candidate.phase is Phase.LEADING:
            patience = min(patience, self._candidate.valid_until - sent)
        if self._stopping_until is not None:
            patience = min(patience, self._stopping_until - sent)
        return patience

    def _within(self, until: float) -> float:
        """Seconds until `until`, or until the lease is lost, whichever comes first."""
        if self._candidate.phase is Phase.LEADING:
            until = min(until, self._candidate.valid_until)
        return until - self._clock.monotonic()
