"""Revisions of Deployments: which ReplicaSet is the newest of its Deployment."""

from dataclasses import dataclass, replace
from typing import Final

from controller.placement.demand import Demand
from controller.runtime.cache.store import StoreEvent
from controller.runtime.objects.replica_set import ReplicaSet

REVISION: Final = "deployment.kubernetes.io/revision"
"""Annotation by which the Deployment controller numbers its ReplicaSets; one that is gone back to gets a new number."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What a ReplicaSet is of: the Deployment's uid and name, and its number there."""

    deployment: str
    name: str
    number: int


class Revisions:
    """Follows the ReplicaSets, by uid. Of one that was not seen yet nothing is known: it counts as the newest."""

    def __init__(self) -> None:
        self._of: dict[str, Revision] = {}
        self._numbers: dict[str, dict[str, int]] = {}

    def take(self, event: StoreEvent[ReplicaSet]) -> None:
        """Apply one informer event."""
        uid = event.object.metadata.uid
        before = self._of.pop(uid, None)
        if before is not None:
            self._numbers[before.deployment].pop(uid)
            if not self._numbers[before.deployment]:
                del self._numbers[before.deployment]
        found = None if event.new is None else _revision(event.new)
        if found is not None:
            self._of[uid] = found
            self._numbers.setdefault(found.deployment, {})[uid] = found.number

    @staticmethod
    def differ(event: StoreEvent[ReplicaSet]) -> bool:
        """Whether an event tells something new: a ReplicaSet's status changes with each of its pods."""
        before, now = (None if found is None else _revision(found) for found in (event.old, event.new))
        return before != now

    def of(self, replica_set: str) -> Revision | None:
        """The revision that a ReplicaSet is, by its uid."""
        return self._of.get(replica_set)

    def newest(self, replica_set: str) -> bool:
        """Whether no later revision of its Deployment is known."""
        found = self._of.get(replica_set)
        return found is None or found.number >= max(self._numbers[found.deployment].values())

    def marked(self, demand: Demand) -> Demand:
        """The demand with what is known of its pod's revision now."""
        found = self._of.get(demand.owner)
        family, number = ("", 0) if found is None else (found.deployment, found.number)
        newest = self.newest(demand.owner)
        if (demand.family, demand.revision, demand.newest) == (family, number, newest):
            return demand
        return replace(demand, family=family, revision=number, newest=newest)


def _revision(replica_set: ReplicaSet) -> Revision | None:
    metadata = replica_set.metadata
    above = next((owner for owner in metadata.owner_references if owner.controller), None)
    number = metadata.annotations.get(REVISION, "")
    if above is None or above.kind != "Deployment" or not number.isdecimal():
        return None
    return Revision(above.uid, above.name, int(number))
