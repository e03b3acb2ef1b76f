"""The operator's webhooks, made and kept known to the API server: where they listen and whom to trust.

    what is installed (targets.py says where to look) -> what is wanted (an Address) -> one patch an object

The objects come with the manifests, so that no opted-in pod slips by while the operator is down.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import structlog

from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client
from controller.runtime.client.errors import ApiError, Invalid, NotFound
from controller.runtime.clock import Clock
from controller.webhooks.targets import Address, Target, Unusable, bundle_of, patch

#: Between two looks at objects that were right, in case nobody told us of a change.
LOOK_AGAIN_SECONDS = 30.0
# Somebody else wrote between our look and our patch: look again at once, a few times.
_TRIES = 3

log = structlog.get_logger(__name__)


class Registration:
    """Keeps CA and, where the operator runs outside the cluster, URL in every one of `targets`.

    `address` gives what is wanted, as soon as the webhooks listen. `look_now` makes it look at once: call it when the
    certificate changed or somebody touched a target. All replicas do this; a patch carries the version it was made
    for, so that of two at once one is refused. `address` is asked again after each look at what will be written over:
    it may be what another replica has put there, which has read of a new certificate before us.
    """

    def __init__(
        self, client: Client, clock: Clock, targets: Sequence[Target], address: Callable[[], Awaitable[Address]]
    ) -> None:
        self._client = client
        self._clock = clock
        self._targets = tuple(targets)
        self._address = address
        self._backoff = Backoff(Random(), cap=LOOK_AGAIN_SECONDS)  # noqa: S311 - spreads load, guards nothing
        self._wanted = asyncio.Event()
        self._registered = asyncio.Event()
        self._written: Address | None = None
        self._problem = "the webhooks are not registered yet"

    def __str__(self) -> str:
        return "registration of webhooks"

    def verdict(self) -> bool | str:
        """True once the API server knows where to call, else what is missing and the remedy."""
        return True if self._registered.is_set() else self._problem

    async def wait_registered(self) -> None:
        """Wait for the first success."""
        await self._registered.wait()

    async def publishes(self, authority_pem: bytes) -> bool:
        """Whether every target says to trust that authority. Raises ApiError, Unusable."""
        for target in self._targets:
            present = await self._client.get(target.resource, target.name)
            if not all(authority_pem.strip() in bundle_of(place) for place in target.places(present)):
                return False
        return True

    def look_now(self) -> None:
        """Look as soon as possible, and not only at the next turn."""
        self._wanted.set()

    async def run(self) -> None:
        """Register, and look again, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._remind(), name="registration reminder")
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self._clock.sleep(await self._look())

    async def _remind(self) -> None:
        while True:
            self.look_now()
            await self._clock.sleep(LOOK_AGAIN_SECONDS)

    async def _look(self) -> float:
        """One look at all targets; the seconds before which there must not be another."""
        address = await self._address()
        problems, written = [], []
        for target in self._targets:
            try:
                if await self._register(target, address):
                    written.append(str(target))
            except (ApiError, Unusable) as error:
                remedy = f"; install {target}" if isinstance(error, NotFound) else ""
                problems.append(f"{error}{remedy}")
        if written:
            log.info("webhooks registered", written=written)
        if problems:
            self._problem = "; ".join(problems)
            self.look_now()
            delay = self._backoff.failed(self._clock.monotonic())
            log.warning("webhooks not registered", problem=self._problem, retry_seconds=round(delay, 1))
            return delay
        self._registered.set()
        # Written although we want what we wanted before: somebody wrote over it. If they do it again and again, such
        # as an operator with another address, we must not race with them.
        repaired, self._written = bool(written) and address == self._written, address
        return self._backoff.failed(self._clock.monotonic()) if repaired else 0.0

    async def _register(self, target: Target, address: Address) -> bool:
        """Whether something had to be written. Raises ApiError, Unusable."""
        for attempt in range(1, _TRIES + 1):
            present = await self._client.get(target.resource, target.name)
            if not patch(target, present, address):
                return False
            operations = patch(target, present, await self._address())
            if not operations:
                return False
            try:
                await self._client.json_patch(target.resource, target.name, operations)
            except Invalid as error:
                if error.causes or attempt == _TRIES:
                    raise
                continue  # the version that the patch was made for is not the latest any more
            return True
        raise AssertionError("the last try returns or raises")
