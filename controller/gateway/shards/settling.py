"""Finds out which seats of our engines others still use: asks those who sent there, and else the engine itself.

Runs only while something is unknown; then a few times a second, until each bound is zero.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp
import orjson
import structlog

from controller.gateway.peer_name import PEER_NAME
from controller.gateway.shards.engine_count import requests_at
from controller.gateway.shards.lease_view import Member
from controller.gateway.shards.ownership import STATUS_PATH, ShardOwnership
from controller.gateway.shards.residents import Residents
from controller.runtime.clock import Clock

_ENGINES_AT_ONCE: Final = 32
_LONGEST_ANSWER: Final = 4 << 20
_HUSH_AGAIN: Final = 6
"""A hush that led nowhere is tried again after so many times as long."""
_CONNECT_SECONDS: Final = 3.0
"""Between a request's dispatch and its way to the engine there may be a connect (`Limits.upstream_connect_seconds`)."""


class Settling:
    """Asks for `ownership`. `peer_tls` makes connections to replicas (None: plain), `engine_tls` those to engines."""

    def __init__(
        self,
        ownership: ShardOwnership,
        *,
        clock: Clock,
        peer_tls: Callable[[], ssl.SSLContext] | None = None,
        engine_tls: ssl.SSLContext | None = None,
    ) -> None:
        self._ownership, self._clock, self._peer_tls, self._engine_tls = ownership, clock, peer_tls, engine_tls
        self._changed = asyncio.Event()
        self._at_once = asyncio.Semaphore(_ENGINES_AT_ONCE)
        self._hushed: dict[str, float] = {}
        self._looked: set[str] = set()
        self._log = structlog.get_logger(__name__).bind(identity=ownership.identity)
        ownership.changed.append(self._changed.set)

    async def run(self) -> None:
        """Ask whenever something is unknown, until cancelled."""
        timing = self._ownership.timing
        timeout = aiohttp.ClientTimeout(total=timing.ask_timeout)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                self._changed.clear()
                unsettled = self._unsettled()
                await self._round(session, unsettled)
                if unsettled:
                    await self._clock.sleep(timing.ask)
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(timing.look):
                        await self._changed.wait()

    def _unsettled(self) -> list[tuple[Residents, str]]:
        now = self._clock.monotonic()
        return [
            (keeper.residents, endpoint)
            for keeper, endpoints in self._ownership.held()
            if keeper.residents is not None
            for endpoint in keeper.residents.unsettled(endpoints, now)
        ]

    async def _round(self, session: aiohttp.ClientSession, unsettled: list[tuple[Residents, str]]) -> None:
        before = self._ownership.taken()
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(self._ask_replica(session, member), name=f"ask {member.identity}")
                for member in self._ownership.coordinator.others()
            ]
        answering = frozenset(identity for task in asked if (identity := task.result()) is not None)
        async with asyncio.TaskGroup() as tasks:
            for residents, endpoint in unsettled:
                if residents.needs_engine(endpoint, answering):
                    tasks.create_task(self._ask_engine(session, residents, endpoint), name=f"ask {endpoint}")
        self._hush([one for one in unsettled if one[0].needs_engine(one[1], answering)])
        if self._ownership.taken() != before:
            self._ownership.settle()

    # --- replicas ---

    async def _ask_replica(self, session: aiohttp.ClientSession, member: Member) -> str | None:
        """The replica's identity, if it answered."""
        host = f"[{member.host}]" if ":" in member.host else member.host
        plain = self._peer_tls is None
        url = f"{'http' if plain else 'https'}://{host}:{member.port}{STATUS_PATH}"
        tls: Any = {} if self._peer_tls is None else {"ssl": self._peer_tls(), "server_hostname": PEER_NAME}
        try:
            async with session.get(url, **tls) as answer:
                answer.raise_for_status()
                said = orjson.loads(await answer.content.read(_LONGEST_ANSWER))
                identity, counts, waiting = said["identity"], said["inFlight"], said["waiting"]
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError) as error:
            self._log.info("another replica does not say what it has", replica=member.identity, error=str(error))
            return None
        if identity != member.identity:  # its address is another's by now
            return None
        self._ownership.heard(identity, waiting)
        now = self._clock.monotonic()
        for keeper, endpoints in self._ownership.held():
            if keeper.residents is not None:
                keeper.residents.tell(identity, counts, endpoints, now)
        return member.identity

    # --- engines ---

    async def _ask_engine(self, session: aiohttp.ClientSession, residents: Residents, uid: str) -> None:
        endpoint = self._ownership.endpoint(uid)
        if endpoint is None:
            return
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        url = f"{'https' if endpoint.tls else 'http'}://{host}:{endpoint.port}/metrics"
        async with self._at_once:
            asked = self._clock.monotonic()
            try:
                async with session.get(url, ssl=self._engine_tls or True) as answer:
                    answer.raise_for_status()
                    reported = requests_at((await answer.content.read(_LONGEST_ANSWER)).decode("utf-8", "replace"))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._log.info("an engine does not say what it has", engine=uid, error=str(error))
                return
        if reported is None:
            self._log.info("an engine does not say how many requests it has", engine=uid)
            return
        if not self._ownership.in_flight()[uid]:
            self._looked.add(uid)
        lag = self._ownership.timing.engine_lag + _CONNECT_SECONDS
        ours = self._ownership.in_flight(begun_before=asked - lag)[uid]
        residents.measure(uid, reported, ours, asked=asked, now=self._clock.monotonic())

    def _hush(self, unsettled: list[tuple[Residents, str]]) -> None:
        """Where short requests of ours hide whether others' are still there: none for a moment, and then a look.

        A request of ours can be told from others' only if it is long. A hush lasts until ours have ended and the engine
        was asked once more; where that takes longer than `quiet_after` it is given up, and tried again much later.
        """
        now, patience = self._clock.monotonic(), self._ownership.timing.quiet_after
        wanted = {endpoint for residents, endpoint in unsettled if residents.unmoved(endpoint, now) >= patience}
        for endpoint, since in tuple(self._hushed.items()):
            if endpoint not in wanted or endpoint in self._looked or now - since >= patience:
                self._ownership.hush(endpoint, quiet=False)
            if endpoint not in wanted or now - since >= _HUSH_AGAIN * patience:
                del self._hushed[endpoint]
        for endpoint in wanted - self._hushed.keys():
            self._hushed[endpoint] = now
            self._looked.discard(endpoint)
            self._ownership.hush(endpoint, quiet=True)
