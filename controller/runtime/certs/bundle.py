"""One authority and one leaf for all replicas, kept in a Secret and renewed by whoever looks first.

    every minute: read the Secret -> what is due (rotation.py) -> write it -> tell whom it concerns

The first replica creates the Secret; who comes second finds that it exists and reads it. A write carries the version
it was decided on, so of two replicas that renew at once one is refused, and takes what the other made.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from opentelemetry.metrics import Meter

from controller.runtime.cache.backoff import Backoff
from controller.runtime.certs.authority import Purpose
from controller.runtime.certs.material import (
    KEYS,
    Issuance,
    Material,
    UnreadableSecret,
    advance,
    data_of,
    read_material,
)
from controller.runtime.certs.rotation import RotationPolicy
from controller.runtime.certs.source import CertificateSource
from controller.runtime.client.client import Client
from controller.runtime.client.core import SECRETS
from controller.runtime.client.errors import AlreadyExists, ApiError, Conflict, NotFound
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest

#: Between two looks of a replica, give or take a tenth.
LOOK_SECONDS = 60.0
SECRET_TYPE = "kubernetes.io/tls"  # noqa: S105 - a type, not a password

# Each lost race means that another replica wrote; so many in one look, and something fights over the Secret.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class SecretName:
    """Which Secret. It must be nobody else's: read cert-manager's from its mounted files instead (`files.py`)."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"Secret {self.namespace}/{self.name}"


class Contended(RuntimeError):
    """Others kept writing the Secret at the same time; the next look tries again."""


class CertificateKeeper(CertificateSource):
    """Runs in every replica and keeps its certificate and bundle up to date; needs get, create and update on Secrets.

    `names`: the DNS names and addresses that clients use. `common_name`: the authority's. `look_seconds`: the pause
    between looks, which with the way of the bundle to the API server must stay under `policy.settle`. `published`:
    whether all clients are told to trust an authority (PEM), so that it may sign; without it, time alone decides.
    `purpose`: "peer" for those who show the certificate to each other.

        keeper = CertificateKeeper(client, SecretName("ns", "webhook-certificate"), ["webhook.ns.svc"])
        keeper.on_change(webhook.replace_certificate)
        manager.add_webhook(keeper)
    """

    def __init__(
        self,
        client: Client,
        secret: SecretName,
        names: Sequence[str],
        *,
        common_name: str = "webhook CA",
        policy: RotationPolicy | None = None,
        purpose: Purpose = "server",
        look_seconds: float = LOOK_SECONDS,
        published: Callable[[bytes], Awaitable[bool]] | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
        meter: Meter | None = None,
    ) -> None:
        if not names:
            raise ValueError("names: empty; give the DNS names or addresses that clients use")
        super().__init__(f"certificates in {secret}", clock=clock, meter=meter)
        self._secret = secret
        self._client = client
        self._issuance = Issuance(tuple(names), common_name, policy or RotationPolicy(), purpose)
        self._look_seconds = look_seconds
        self._asks_published = published
        self._published_since: tuple[bytes, float] | None = None
        self._rng = rng or Random()  # noqa: S311 - spreads load, guards nothing
        self._backoff = Backoff(self._rng, cap=look_seconds)
        self._material: Material | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Look until cancelled. Failures are logged and repeated; the certificate at hand stays in use meanwhile."""
        while True:
            async with self._turn:
                pause = await self._look_once()
            await self._clock.sleep(pause)

    async def look_now(self) -> None:
        """Read the Secret, in turn with `run`: of two answers the later one stays."""
        async with self._turn:
            await self._look_once()

    async def _look_once(self) -> float:
        """One look; the seconds to wait before the next."""
        try:
            material = await self._look()
        except (ApiError, UnreadableSecret, Contended) as error:
            self._failed(f"{self._secret}: {error}")
            return self._backoff.failed(self._clock.monotonic())
        self._material = material
        if material.serving is not None:
            self._found(material.serving)
        return self._look_seconds * self._rng.uniform(0.9, 1.1)

    async def _look(self) -> Material:
        for _ in range(_TRIES):
            present = await self._read()
            material = self._held(present)
            published = await self._published(material)
            wanted, steps = advance(material, self._issuance, self._clock.now(), published=published)
            if present is not None and not steps:
                return wanted
            lost_race = (AlreadyExists,) if present is None else (Conflict, NotFound)
            try:
                await self._write(present, wanted)
            except lost_race:
                continue  # decide again on what is there now
            self._log.info("certificates written", steps=[f"{step.action}: {step.reason}" for step in steps])
            return wanted
        raise Contended(f"changed by others {_TRIES} times while it was being written")

    async def _published(self, material: Material) -> bool:
        """Whether the next authority has been where clients look for a settle time: what is written takes that long."""
        if self._asks_published is None or material.upcoming is None:
            return True
        pem, now = material.upcoming.certificate_pem, self._clock.monotonic()
        if not await self._asks_published(pem):
            self._published_since = None
            return False
        if self._published_since is None or self._published_since[0] != pem:
            self._published_since = pem, now
        return now - self._published_since[1] >= self._issuance.policy.settle.total_seconds()

    async def _read(self) -> Manifest | None:
        try:
            return await self._client.get(SECRETS, self._secret.name, self._secret.namespace)
        except NotFound:
            return None

    def _held(self, present: Manifest | None) -> Material:
        if present is not None:
            return read_material(present.get("data") or {})
        # Deleted while we run: put back what clients trust. A new authority would be refused until it is published.
        return self._material or Material()

    async def _write(self, present: Manifest | None, material: Material) -> None:
        if present is None:
            metadata = {"name": self._secret.name, "namespace": self._secret.namespace}
            await self._client.create(SECRETS, {"metadata": metadata, "type": SECRET_TYPE, "data": data_of(material)})
            return
        others = {name: value for name, value in (present.get("data") or {}).items() if name not in KEYS}
        await self._client.replace(SECRETS, {**present, "data": {**others, **data_of(material)}})
