"""The elector: a thread with an event loop and a client of its own that holds a Lease for this process.

Nothing that the rest of the process does can keep it from renewing, short of holding the interpreter's lock: a main
loop that is busy or blocked for a minute keeps its lease. And nothing keeps it from saying that the lease is lost.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random, SystemRandom
from typing import Final, cast
from uuid import UUID

import structlog
from opentelemetry.metrics import Meter, NoOpMeter

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import Clock, RealClock
from controller.runtime.election.candidacy import Candidate
from controller.runtime.election.fence import Fence, LeaseLost
from controller.runtime.election.lease import LeaseTiming
from controller.runtime.election.lease_object import ApiLease
from controller.runtime.election.participant import Log, Participant
from controller.runtime.instrumentation import gauge_on
from controller.runtime.instruments import LEADING

LOST_EXIT_CODE: Final = 1
# For the log line of a process that ends.
_LAST_WORD_SECONDS = 1.0
# For a cancelled thread to close its connections.
_CANCEL_SECONDS = 1.0


def end_process(lost: LeaseLost) -> None:
    """Log one line and end the process, with no clean-up: what would be cleaned up is somebody else's by now.

    The line has a thread of its own: were nobody to read our output, it would never be written.
    """
    log = structlog.get_logger(__name__)
    say = threading.Thread(target=log.critical, args=("lease lost; the process ends",), kwargs={"error": str(lost)})
    say.daemon = True
    say.start()
    say.join(_LAST_WORD_SECONDS)
    os._exit(LOST_EXIT_CODE)


def unique_identity(rng: Random, host: str | None = None) -> str:
    """host_uuid: another one for each process, also after a restart. `host` None: the name of this machine (or pod)."""
    return f"{host or socket.gethostname()}_{UUID(int=rng.getrandbits(128), version=4)}"


class LeaderElector:
    """Takes part in the election for the Lease `namespace`/`name`; a Runnable, to be run once.

    `identity` None: hostname_uuid; a given one must be this process's alone. `on_lost` is called at once, from the
    elector's thread, when a lease that was held is lost, or when the thread crashes; the default ends the process.
    `meter` gets `leader_election_master_status{name}`, 1 while leading, and what its client counts.

    `check`, `leading` and `stop` may be called from any thread; `run` and `wait_leading` belong to one event loop.
    """

    def __init__(
        self,
        configuration: ClientConfiguration,
        *,
        namespace: str,
        name: str,
        identity: str | None = None,
        timing: LeaseTiming | None = None,
        on_lost: Callable[[LeaseLost], None] = end_process,
        clock: Clock | None = None,
        rng: Random | None = None,
        meter: Meter | None = None,
        user_agent: str = "controller-runtime-python",
    ) -> None:
        self._configuration = configuration
        self._namespace, self._name = namespace, name
        self._rng = rng or SystemRandom()
        self.identity = identity or unique_identity(self._rng)
        self._timing = timing or LeaseTiming()
        self._on_lost = on_lost
        self._clock = clock or RealClock()
        self._user_agent = f"{user_agent}/leader-election"
        self._fence = Fence(f"{namespace}/{name}", self.identity, self._clock.monotonic)
        self._labels = {"name": name}
        self._meter = meter
        self._status = gauge_on(meter or NoOpMeter("runtime"), LEADING)
        self._status.set(0, self._labels)
        self._lost: LeaseLost | None = None
        self._led, self._ended = asyncio.Event(), asyncio.Event()
        self._stop_asked = threading.Event()
        self._callers: asyncio.AbstractEventLoop | None = None
        self._own: _Inside | None = None
        self._log = structlog.get_logger(__name__).bind(lease=self._fence.lease, identity=self.identity)

    def __str__(self) -> str:
        return f"leader elector {self._fence.lease}"

    @property
    def leading(self) -> bool:
        """Whether this process surely holds the lease at this moment."""
        return self._fence.open

    def check(self) -> None:
        """The fence: call it right before each write. Raises LeaseLost unless the lease is surely held now."""
        self._fence.check()

    async def wait_leading(self) -> None:
        """Wait until the lease is held. Raises LeaseLost when the election ended without."""
        await self._led.wait()
        self._fence.check()

    async def run(self) -> None:
        """Take part until `stop`, which gives the lease back. Raises LeaseLost, after `on_lost`.

        Cancelling it closes the fence and leaves the lease to run out.
        """
        self._callers = asyncio.get_running_loop()
        threading.Thread(target=self._in_thread, name=str(self), daemon=True).start()
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            await self._abandon()
            raise
        if self._lost is not None:
            raise self._lost

    def stop(self) -> None:
        """Give the lease back and make `run` return, within two request timeouts. Returns at once."""
        self._stop_asked.set()
        if (own := self._own) is not None:
            _tell(own.loop, own.stop.set)

    async def _abandon(self) -> None:
        self._fence.close("the election was cancelled")
        self._stop_asked.set()
        if (own := self._own) is not None:
            _tell(own.loop, own.task.cancel)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self._ended.wait()

    # In the elector's own thread ------------------------------------------------------------------------------------

    def _in_thread(self) -> None:
        try:
            asyncio.run(self._take_part())
        except asyncio.CancelledError:
            return  # by `_abandon`; and nobody is above
        except BaseException as error:  # noqa: BLE001 - a dead thread renews nothing: nobody may take it for a live one
            self._lose(error)
        finally:
            _tell(self._callers, self._led.set)
            _tell(self._callers, self._ended.set)

    async def _take_part(self) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())  # None only outside of a coroutine
        self._own = own = _Inside(asyncio.get_running_loop(), task, asyncio.Event())
        if self._stop_asked.is_set():  # before there was anybody to be told
            return
        async with Client(
            self._configuration, clock=self._clock, user_agent=self._user_agent, meter=self._meter
        ) as client:
            participant = Participant(
                ApiLease(client, self._namespace, self._name),
                Candidate(self.identity, self._timing),
                self._fence,
                clock=self._clock,
                rng=self._rng,
                log=_CallersLog(self._callers, self._log),
                on_leading=self._lead,
            )
            try:
                await participant.run(own.stop)
            except (Exception, LeaseLost) as error:  # noqa: BLE001 - said before connections are closed: that takes time
                self._lose(error)
            finally:
                self._fence.close("the election has ended")
                self._status.set(0, self._labels)

    def _lead(self) -> None:
        self._status.set(1, self._labels)
        _tell(self._callers, self._led.set)

    def _lose(self, error: BaseException) -> None:
        if self._lost is not None:
            return  # told already; whatever fails now, fails while the thread ends
        if isinstance(error, LeaseLost):
            self._lost = error
        else:
            self._lost = self._fence.close(f"its thread crashed: {error!r}")
            self._lost.__cause__ = error
        self._on_lost(self._lost)


@dataclass(frozen=True, slots=True)
class _Inside:
    """What the elector's thread runs, for others to reach into."""

    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[None]
    stop: asyncio.Event


class _CallersLog:
    """Logs in the caller's event loop, later if that is blocked, so that no output can hold up a renewal."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None, log: Log) -> None:
        self._loop = loop
        self._log = log

    def info(self, event: str, /, **keys: object) -> None:
        """See Log."""
        _tell(self._loop, partial(self._log.info, event, **keys))

    def warning(self, event: str, /, **keys: object) -> None:
        """See Log."""
        _tell(self._loop, partial(self._log.warning, event, **keys))


def _tell(loop: asyncio.AbstractEventLoop | None, callback: Callable[[], object]) -> None:
    """Call `callback` in `loop` from another thread; a loop that is closed has nobody left to be told."""
    if loop is not None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(callback)
