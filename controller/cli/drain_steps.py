"""Draining a node, step by step: cordon, evict as disruption budgets let it, wait until the pods have gone.

Each step looks first and does nothing that is done already, so that all of it can be run again.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from controller.cli.drain_plan import Tenant
from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import (
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from controller.runtime.clock import Clock
from controller.runtime.objects.pod import Pod
from controller.translate.pod import TERMINAL_PHASES, claim_name

#: Rounds between which pods may end or budgets give way: the first after a second, later ones after ten at most.
_FIRST_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 10.0
_NAMED: Final = 5
#: How the API server refuses evictions of a pod that more than one disruption budget is about.
_OF_SEVERAL_BUDGETS: Final = 500


class NotDrained(Exception):
    """Somebody is there still; the text says who, and why."""


@dataclass(slots=True)
class _Left:
    """A pod that is to go. `asked`: its eviction was granted; `refused`: why it was not, the last time.

    `for_good`: it would be refused again, however often it is asked for.
    """

    tenant: Tenant
    asked: bool = False
    refused: str = ""
    for_good: bool = False


@dataclass(frozen=True, slots=True)
class Drain:
    """`tenants` leave in this order; those who are leaving already are waited for. `limit_seconds`: for all of it."""

    client: Client
    clock: Clock
    rng: Random
    node: str
    tenants: Sequence[Tenant]
    limit_seconds: float

    async def run(self) -> AsyncIterator[str]:
        """Do it; a line for each thing that was done. Raises ApiError, and NotDrained."""
        deadline = self.clock.monotonic() + self.limit_seconds
        if await self._cordon():
            yield f"node {self.node} cordoned"
        left = [_Left(each, asked=each.pod.deleting) for each in self.tenants]
        pause = Backoff(self.rng, first=_FIRST_SECONDS, cap=_LONGEST_SECONDS)
        while left:
            for each in [*left]:
                for line in await self._further(each):
                    yield line
                if each.asked and await self._gone(each.tenant):
                    left.remove(each)
                    yield f"pod {each.tenant.name} has gone"
            now = self.clock.monotonic()
            if left and all(each.for_good for each in left):
                raise NotDrained(_there_still(left))
            if left and now >= deadline:
                raise NotDrained(f"after {self.limit_seconds:g} s {_there_still(left)}")
            if left:
                await self.clock.sleep(min(pause.failed(now), deadline - now))
        if came := await self._came():
            raise NotDrained(f"{', '.join(came)} got a partition there meanwhile")

    async def _cordon(self) -> bool:
        """Whether it had to be done. Raises NotFound."""
        node = await self.client.get(NODES, self.node)
        if node["spec"].get("unschedulable"):
            return False
        await self.client.merge_patch(NODES, self.node, {"spec": {"unschedulable": True}})
        return True

    async def _further(self, left: _Left) -> list[str]:
        """Ask for its eviction if that is still to be done."""
        if left.asked or left.for_good:
            return []
        pod = left.tenant.pod
        try:
            await self.client.evict(pod.name, pod.namespace, pod.uid)
        except (NotFound, Conflict):
            left.asked = True
            return []
        except (TooManyRequests, Timeout, Unavailable) as error:  # of this very pod it may well be asked again
            before, left.refused = left.refused, _why(error)
            return [] if before else [f"pod {left.tenant.name} stays for now: {left.refused}"]
        except ApiError as error:
            if not isinstance(error, Forbidden) and error.status != _OF_SEVERAL_BUDGETS:
                raise
            left.refused, left.for_good = _why(error), True
            return [f"pod {left.tenant.name} stays: {left.refused}"]
        left.asked = True
        return [f"pod {left.tenant.name} evicted"]

    async def _gone(self, tenant: Tenant) -> bool:
        try:
            found = await self.client.get(PODS, tenant.pod.name, tenant.pod.namespace)
        except NotFound:
            return True
        except (Timeout, Unavailable):
            return False
        uid: str = found["metadata"]["uid"]
        return uid != tenant.pod.uid

    async def _came(self) -> list[str]:
        """Pods with a claim that are on the node now: they were bound before anybody saw that it is cordoned."""
        found = await self.client.list(PODS, field_selector=f"spec.nodeName={self.node}", into=Pod)
        known = {each.pod.uid for each in self.tenants}
        return [
            f"pod {pod.metadata.namespace}/{pod.metadata.name}"
            for pod in found.items
            if pod.metadata.uid not in known and pod.status.phase not in TERMINAL_PHASES and claim_name(pod) is not None
        ]


def _why(error: ApiError) -> str:
    """What the budget says, where one refuses: the message itself names none."""
    return "; ".join(each.message for each in error.causes if each.message) or error.message


def _there_still(left: Sequence[_Left]) -> str:
    named = "; ".join(
        f"pod {each.tenant.name} {'is ending still' if each.asked else f'stays: {each.refused}'}"
        for each in left[:_NAMED]
    )
    return f"{named}{f'; {len(left) - _NAMED} more' if len(left) > _NAMED else ''}"
