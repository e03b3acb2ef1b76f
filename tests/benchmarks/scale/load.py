"""Owners of pods that come and go: our InferenceServices and plain Deployments by turns, over some namespaces."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from controller.runtime.client.client import Client
from controller.runtime.client.core import DEPLOYMENTS
from controller.runtime.client.resource import Resource
from controller.state.kinds import INFERENCE_SERVICES
from tests.benchmarks.scale.lives import Lives
from tests.benchmarks.scale.settings import Settings
from tests.integration.operator.running import deployment, opt_in, service

NAMESPACES: Final = tuple(f"scale-{number}" for number in range(10))
PATIENCE_SECONDS: Final = 120.0
"""Without any event of a pod for so long, what has not come will not."""
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Owner:
    """Who stands for some pods."""

    resource: Resource
    name: str
    namespace: str


@dataclass(slots=True)
class Load:
    """Makes pods come and go, never more than a wave at a time, and waits for what `lives` has seen of them.

    `tick` is called often while something is waited for. Who waits gives up after `patience` seconds in which nothing
    has happened to any pod; what is missing then shows in `missing`.
    """

    client: Client
    settings: Settings
    lives: Lives
    tick: Callable[[], None] = lambda: None
    patience: float = PATIENCE_SECONDS
    ever: int = 0
    """Owners ever made."""
    owners: deque[Owner] = field(default_factory=deque)

    @property
    def asked(self) -> int:
        """Pods that those owners want that are there."""
        return len(self.owners) * self.settings.owner

    @property
    def missing(self) -> int:
        """Pods that are wanted and not Ready."""
        return max(0, self.asked - self.lives.serving)

    @property
    def settled(self) -> bool:
        """Whether all who shall be there are Ready, and nobody else is there."""
        came = self.lives.came >= self.ever * self.settings.owner
        return came and self.lives.serving == self.lives.present == self.asked

    async def fill(self, pods: int) -> bool:
        """Owners until there are `pods`, a wave on its way at most. Whether all were Ready in the end."""
        size, room = self.settings.owner, self.settings.wave
        while self.asked < pods:
            if not await self._until(lambda: self.missing + size <= room):
                return False
            await self._come()
        return await self.settle()

    async def settle(self) -> bool:
        """Until all who shall be there are Ready, and nobody else is there; whether it came to that."""
        return await self._until(lambda: self.settled)

    async def churn(self, pods: int) -> bool:
        """As many of the oldest end as of new ones come, wave by wave. Whether all were Ready after each."""
        left = self.settings.owners(pods)
        while left > 0:
            wave = min(left, self.settings.owners(self.settings.wave))
            left -= wave
            for _ in range(wave):
                await self._end()
                await self._come()
            if not await self.settle():
                return False
        return True

    async def end(self) -> bool:
        """All owners end, a wave at a time. Whether all pods were gone."""
        room = self.settings.wave
        while self.owners:
            if not await self._until(lambda: self.lives.present - self.asked < room):
                return False
            await self._end()
        return await self._until(lambda: self.lives.present == 0)

    async def _come(self) -> None:
        number, self.ever = self.ever, self.ever + 1
        namespace, name, size = NAMESPACES[number // 2 % len(NAMESPACES)], f"model-{number}", self.settings.owner
        made: dict[str, Any] = deployment(name, size, opt_in()) if number % 2 else service(name, replicas=size)
        owner = Owner(DEPLOYMENTS if number % 2 else INFERENCE_SERVICES, name, namespace)
        await self.client.create(owner.resource, made, namespace)
        self.owners.append(owner)

    async def _end(self) -> None:
        owner = self.owners.popleft()
        await self.client.delete(owner.resource, owner.name, owner.namespace, propagation_policy="Background")

    async def _until(self, done: Callable[[], bool]) -> bool:
        clock = asyncio.get_running_loop().time
        moves, since = self.lives.moves, clock()
        while not done():
            self.tick()
            await asyncio.sleep(_LOOK_SECONDS)
            if self.lives.moves != moves:
                moves, since = self.lives.moves, clock()
            elif clock() - since > self.patience:
                return False
        return True
