"""Writes that are left out when they would change nothing, decided on what a cache holds.

An apply or a PUT that changes nothing is harmless, but still a request that the API server authorises, admits and
looks up. The look at the cache is one-sided: in doubt the request goes out, and the server, which stores nothing when
nothing changes, has the last word. A cache may be behind: then the next event of the object makes up for it.

    applier = Applier(client, "my-controller")
    applied = await applier.apply(DEPLOYMENTS, wanted, deployments.store.get(key))
    if applied.outcome is not Outcome.UNCHANGED:
        recorder.record(owner, "Normal", "Applied", f"deployment {applied.outcome}", "Apply")
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

import orjson

from controller.runtime.applied_fields import would_change
from controller.runtime.client.client import Client
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest, key_of, uid_of, version_of


class Outcome(StrEnum):
    """What became of a write."""

    CREATED = "created"
    """Written, and the cache had no such object."""
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    """Not sent, or sent and the server found nothing to change."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done, and the object after it: the server's answer, or the live one when nothing was sent."""

    outcome: Outcome
    object: Manifest


class Applier:
    """Server-side apply as `field_manager`, without the requests that change nothing.

    What `would_change` cannot see without managedFields (fields that were applied before and are not desired any
    more) is seen here by memory: a desired object that differs from the last one applied is applied, and so is the
    first one after a start. `remembered`: objects whose last desired state is kept (32 bytes each), the latest ones.
    """

    def __init__(self, client: Client, field_manager: str, *, force: bool = True, remembered: int = 10_000) -> None:
        self._client = client
        self._field_manager = field_manager
        self._force = force
        self._remembered = remembered
        self._last: OrderedDict[tuple[Resource, str], tuple[str, bytes]] = OrderedDict()

    async def apply(self, resource: Resource, desired: Manifest, live: Manifest | None) -> Applied:
        """Take `desired` to the API server, unless `live` (None: not in the cache) shows that nothing would change.

        Raises what `Client.apply` raises; then nothing is remembered.
        """
        if live is not None and not self._needed(resource, desired, live):
            return Applied(Outcome.UNCHANGED, live)
        answer = await self._client.apply(resource, desired, field_manager=self._field_manager, force=self._force)
        place = (resource, key_of(answer))
        self._last[place] = (uid_of(answer), _digest(desired))
        self._last.move_to_end(place)
        if len(self._last) > self._remembered:
            self._last.popitem(last=False)
        return Applied(_outcome(live, answer), answer)

    def _needed(self, resource: Resource, desired: Manifest, live: Manifest) -> bool:
        if would_change(desired, live, self._field_manager):
            return True
        if live["metadata"].get("managedFields"):
            return False
        return self._last.get((resource, key_of(live))) != (uid_of(live), _digest(desired))


async def apply_to(
    client: Client, resource: Resource, desired: Manifest, present: Manifest | None, *, field_manager: str
) -> Manifest:
    """Server-side apply to `present`, as it was just read (None, or empty: nothing is there); what is stored then.

    Nothing is sent where its managedFields show that nothing would change: a process that starts anew looks at all
    that it ever made, and need not write it. Raises what `Client.apply` raises.
    """
    if present and present["metadata"].get("managedFields") and not would_change(desired, present, field_manager):
        return present
    return await client.apply(resource, desired, field_manager=field_manager)


async def write_status(client: Client, resource: Resource, live: Manifest, status: Manifest) -> Applied:
    """PUT `status` over that of `live`, unless it is equal.

    `live` must be whole (managedFields aside): a PUT to a status may carry labels and annotations along. Its version
    is the precondition: raises Conflict when it is not the latest.
    """
    if (live.get("status") or {}) == status:
        return Applied(Outcome.UNCHANGED, live)
    answer = await client.replace(resource, {**live, "status": status}, subresource="status")
    return Applied(_outcome(live, answer), answer)


def _outcome(live: Manifest | None, answer: Manifest) -> Outcome:
    if live is None:
        return Outcome.CREATED
    return Outcome.UNCHANGED if version_of(answer) == version_of(live) else Outcome.CHANGED


def _digest(desired: Manifest) -> bytes:
    return blake2b(orjson.dumps(desired, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
