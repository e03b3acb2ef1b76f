"""The node's Lease: while it changes, the inventory in GPUNode.status is fresh."""

from collections.abc import Callable
from random import Random

import structlog

from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client
from controller.runtime.client.core import LEASES
from controller.runtime.client.errors import ApiError, NotFound
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest

SYSTEM_NAMESPACE = "aim-gpu-system"
INTERVAL_SECONDS = 10.0
DURATION_SECONDS = 40
AGENT_LABEL = "aim.amd.com/agent"

# Several attempts fit into the 40 s that one renewal vouches for.
_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 5.0
_UNVOUCHED_SECONDS = 0.5


class Heartbeat:
    """Renews the Lease named for the node every 10 s, a little earlier at random so that nodes spread out.

    `vouch`: whether what the API holds of this node is true; while it says no, nothing is renewed and the operator
    stops to believe the inventory 40 s later. `owner`: the reference to the Node, with which the Lease goes; None while
    it is not known. `namespace`: the Lease's, where the operator looks for it.
    """

    def __init__(
        self,
        client: Client,
        node: str,
        clock: Clock,
        rng: Random,
        vouch: Callable[[], bool],
        *,
        owner: Callable[[], Manifest | None] = lambda: None,
        interval_seconds: float = INTERVAL_SECONDS,
        namespace: str = SYSTEM_NAMESPACE,
    ) -> None:
        self._client = client
        self._node = node
        self._clock = clock
        self._rng = rng
        self._vouch = vouch
        self._owner = owner
        self._interval_seconds = interval_seconds
        self._namespace = namespace
        self._backoff = Backoff(rng, first=_FIRST_RETRY_SECONDS, cap=_LONGEST_RETRY_SECONDS, quiet=DURATION_SECONDS)
        self._log = structlog.get_logger(__name__).bind(node=node)

    async def run(self) -> None:
        """Renew until cancelled; the Lease is left to run out."""
        while True:
            await self._clock.sleep(await self._beat())

    async def _beat(self) -> float:
        if not self._vouch():
            return _UNVOUCHED_SECONDS
        try:
            await self._renew()
        except ApiError as error:
            delay = self._backoff.failed(self._clock.monotonic())
            self._log.warning("heartbeat failed", error=str(error), retry_seconds=round(delay, 1))
            return delay
        return self._interval_seconds * self._rng.uniform(0.9, 1.0)

    async def _renew(self) -> None:
        moment = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": self._node, "leaseDurationSeconds": DURATION_SECONDS, "renewTime": moment}
        metadata: Manifest = {"labels": {AGENT_LABEL: "true"}}
        owner = self._owner()
        if owner is not None:
            metadata["ownerReferences"] = [owner]
        try:
            patch = {"metadata": metadata, "spec": spec}
            await self._client.merge_patch(LEASES, self._node, patch, self._namespace)
        except NotFound:
            lease: Manifest = {
                "metadata": {"name": self._node, "namespace": self._namespace, **metadata},
                "spec": {**spec, "acquireTime": moment},
            }
            await self._client.create(LEASES, lease)
