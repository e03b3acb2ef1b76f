"""What running engines took, read off their metrics each minute and written beside what was estimated: a ModelProfile's
`status.observed`.

    endpoints, claims, profiles -> engines that tell of a profile -> their metrics -> the largest use -> apply

The gateway does it, since it is what reaches every engine; the operator writes the rest of that status. An engine that
does not answer, or not as vLLM does, is passed over: nobody waits for these figures.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import aiohttp
import structlog

from controller.gateway.configuration import Endpoint
from controller.gateway.control.engine_memory import engine_memory
from controller.gateway.control.model_profiles import Observable, ObservedUse, Profile, observables, seen
from controller.gateway.control.objects import Claim
from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.errors import ApiError
from controller.runtime.clock import Clock
from controller.runtime.metrics_page import PageError, read_page
from controller.runtime.pod_addresses import Address
from controller.state.kinds import MODEL_PROFILES

EACH_SECONDS: Final = 60.0
READ_SECONDS: Final = 5.0
MOST_BYTES: Final = 4 << 20
"""Of a page of metrics; vLLM's has some tens of KiB."""
FIELD_MANAGER: Final = "aim-gpu-gateway-observed"
MOST_PODS: Final = 4096
"""Pods remembered as seen of one profile."""


class MetricsReader(Protocol):
    """Reads an engine's page of metrics."""

    async def read(self, endpoint: Endpoint) -> str | None:
        """The page; None where the engine does not give one."""
        ...


class HttpMetricsReader:
    """Asks engines where they serve requests, where vLLM has its metrics too. `tls`: for those that speak HTTPS."""

    def __init__(self, session: aiohttp.ClientSession, tls: ssl.SSLContext | None = None) -> None:
        self._session = session
        self._tls = tls

    async def read(self, endpoint: Endpoint) -> str | None:
        """The page, of `MOST_BYTES` at most."""
        address = Address(endpoint.host, endpoint.port, endpoint.tls)
        try:
            return await read_page(self._session, address, tls=self._tls, seconds=READ_SECONDS, most_bytes=MOST_BYTES)
        except PageError:
            return None


class Observing:
    """Reads and writes each minute. `endpoints` are the engines of now, `claim_of` has a pod's claim by its uid.

    `profiles` has to be in sync before `run`.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        endpoints: Callable[[], Iterable[Endpoint]],
        claim_of: Callable[[str], Claim | None],
        reader: MetricsReader,
    ) -> None:
        self._client, self._clock = client, clock
        self._endpoints, self._claim_of, self._reader = endpoints, claim_of, reader
        self.profiles = Informer(client, MODEL_PROFILES, into=Profile, clock=clock)
        self._pods: dict[str, set[str]] = {}
        self._log = structlog.get_logger(__name__)

    def __str__(self) -> str:
        return "observation of engines"

    async def run(self) -> None:
        """Each minute until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(EACH_SECONDS)

    async def look(self) -> None:
        """Read every engine that tells of a profile, and write what is new."""
        found = list(observables(self._endpoints(), self._claim_of, self.profiles.store.values()))
        peaks: dict[str, int] = {}
        for one in found:  # one by one: there is a minute's time
            taken = await self._taken(one)
            if taken is not None:
                peaks[one.profile] = max(taken, peaks.get(one.profile, 0))
                pods = self._pods.setdefault(one.profile, set())
                if len(pods) < MOST_PODS:
                    pods.add(one.endpoint.uid)
        for name, peak in peaks.items():
            await self._write(name, peak)

    async def _taken(self, one: Observable) -> int | None:
        page = await self._reader.read(one.endpoint)
        told = engine_memory(page) if page is not None else None
        return told.taken(one.partition_bytes, one.token_bytes) if told is not None else None

    async def _write(self, name: str, peak: int) -> None:
        profile = self.profiles.store.get(name)
        if profile is None:
            self._pods.pop(name, None)
            return
        observed = seen(profile.status.observed, peak, len(self._pods[name]), self._clock.now())
        if observed is not None:
            await self._apply(profile, observed)

    async def _apply(self, profile: Profile, observed: ObservedUse) -> None:
        body = {
            "metadata": {"name": profile.metadata.name, "uid": profile.metadata.uid},
            "status": {
                "observed": {
                    "peakBytes": observed.peak_bytes,
                    "samples": observed.samples,
                    "lastSeen": observed.last_seen,
                }
            },
        }
        try:
            async with asyncio.timeout(EACH_SECONDS):
                await self._client.apply(MODEL_PROFILES, body, field_manager=FIELD_MANAGER, subresource="status")
        except (ApiError, TimeoutError) as error:
            self._log.warning(
                "use not written; the next look tries again", profile=profile.metadata.name, error=str(error)
            )
