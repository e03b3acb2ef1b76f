"""What would let a blocked update through: the nearest single change, as it is told of waiting claims."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from api.v1beta1 import InferenceService
from controller.placement.demand import Demand
from controller.placement.explanation import sentence
from controller.placement.nearest import nearest
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.explaining import circumstances
from controller.reconcilers.inference_service.backend import annotations_for
from controller.runtime.clock import Clock
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.translate.pod import PodView

#: A search costs more than a decision: what was found for one revision is told again for so long, seconds.
KEPT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Found:
    demand: Demand
    at: float
    text: str


class Remedies:
    """Looks for changes, and remembers what it found for each service."""

    def __init__(self, cluster: Cluster, sizing: Models, clock: Clock, scheduler: ModelScheduler) -> None:
        self._cluster = cluster
        self._sizing = sizing
        self._clock = clock
        self._scheduler = scheduler
        self._found: dict[str, _Found] = {}

    def forget(self, key: str) -> None:
        """Nothing of the service is blocked."""
        self._found.pop(key, None)

    def text(
        self, service: InferenceService, snapshot: Snapshot, demand: Demand, claims: Iterable[str], old: PodView | None
    ) -> str:
        """A sentence, "" when no single change would help. `claims` are the old pods', `old` is one of these pods."""
        key, now = demand.service, self._clock.monotonic()
        known = self._found.get(key)
        if known is not None and known.demand == demand and now - known.at < KEPT_SECONDS:
            return known.text
        text = "" if old is None else self._search(service, snapshot, demand, claims, old)
        self._found[key] = _Found(demand, now, text)
        return text

    def _search(
        self, service: InferenceService, snapshot: Snapshot, demand: Demand, claims: Iterable[str], old: PodView
    ) -> str:
        new = replace(old, annotations=annotations_for(service))
        around = circumstances(self._cluster, demand, self._sizing, new, service)
        with snapshot.without(claims):
            offers = nearest(snapshot, demand, around, self._scheduler.scorer)
        return f"Nearest change: {sentence(offers[0])}" if offers else ""
