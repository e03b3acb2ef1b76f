"""How many pods ReplicaSets want."""

from dataclasses import dataclass
from typing import Final

from controller.runtime.cache.store import StoreEvent
from controller.runtime.objects.replica_set import ReplicaSet

#: Of a name that others are made from, the API server keeps so many characters before the five that it adds.
_KEPT_OF_NAMES: Final = 58


@dataclass(frozen=True, slots=True)
class Wanted:
    """A ReplicaSet's name, and how many pods it is to have; `name` "" for one that is gone, and wants none."""

    name: str
    pods: int


GONE: Final = Wanted("", 0)


class WantedPods:
    """Follows the ReplicaSets, by uid."""

    def __init__(self) -> None:
        self._of: dict[str, Wanted] = {}

    def take(self, event: StoreEvent[ReplicaSet]) -> None:
        """Apply one informer event."""
        self._of.pop(event.object.metadata.uid, None)
        if event.new is not None:
            self._of[event.new.metadata.uid] = Wanted(event.new.metadata.name, event.new.spec.replicas)

    def of(self, owner: str, pod: str, template_hash: str) -> Wanted | None:
        """What the ReplicaSet of uid `owner` wants, if `pod` was one of its own; None where another made the pod.

        Pods have its name before theirs. Of one that is gone a Deployment's is still known by the hash of its template
        in the pod's name: names of StatefulSets' and DaemonSets' pods have none. To be asked once all are listed.
        """
        found = self._of.get(owner)
        if found is not None:
            return found if pod.startswith(f"{found.name}-"[:_KEPT_OF_NAMES]) else None
        return GONE if template_hash and f"-{template_hash}-" in pod else None
