"""Places that services keep for the pods of a revision that is being rolled out."""

from api.v1beta1.inference_service import KeptPlace
from controller.gpu.identity import PartitionId
from controller.placement.snapshot import Reservation
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest


class UpdatePlaces:
    """Follows the services' statuses. What was decided and is not seen yet counts, so that none is promised twice.

    `revision` counts the changes.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._seen: dict[str, tuple[KeptPlace, ...]] = {}
        self._assumed: dict[str, tuple[KeptPlace, ...]] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Apply one informer event."""
        seen = _places(event.new)
        self.revision += seen != self._seen.get(event.key, ()) or event.key in self._assumed
        if seen:
            self._seen[event.key] = seen
        else:
            self._seen.pop(event.key, None)
        if event.new is None or self._assumed.get(event.key) == seen:
            self._assumed.pop(event.key, None)

    def assume(self, key: str, places: tuple[KeptPlace, ...]) -> None:
        """Count what is being written to the service of that key."""
        self._assumed[key] = places
        self.revision += 1

    def forget(self, key: str) -> None:
        """It was not written."""
        if self._assumed.pop(key, None) is not None:
            self.revision += 1

    def reservations(self) -> dict[tuple[str, PartitionId], Reservation]:
        """Whom each partition is kept for, by node and partition."""
        return {
            (place.node, PartitionId(place.bdf, place.partition)): Reservation("", service=key)
            for key, places in {**self._seen, **self._assumed}.items()
            for place in places
        }

    def by_node(self) -> dict[str, dict[PartitionId, Reservation]]:
        """The same by node."""
        found: dict[str, dict[PartitionId, Reservation]] = {}
        for (node, partition), reservation in self.reservations().items():
            found.setdefault(node, {})[partition] = reservation
        return found


def _places(service: Manifest | None) -> tuple[KeptPlace, ...]:
    applied = ((service or {}).get("status") or {}).get("applied") or {}
    return tuple(
        KeptPlace(node=place["node"], bdf=place["bdf"], partition=place["partition"])
        for place in applied.get("places") or ()
    )
