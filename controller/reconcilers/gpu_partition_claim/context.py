"""What every step of the claim flow works with."""

from dataclasses import dataclass
from typing import Protocol

from opentelemetry.metrics import Counter

from controller.binding.isolation import ResourceIsolator
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.runtime.event_recorder import EventRecorder
from controller.state.cluster import Cluster
from controller.state.models import Models


class Surroundings(Protocol):
    """What a pod is judged by, also by those who only look."""

    @property
    def cluster(self) -> Cluster:
        """The cluster as it is seen."""

    @property
    def sizing(self) -> Models:
        """What sizes models."""


@dataclass(frozen=True, slots=True)
class ClaimContext:
    """The collaborators of the claim reconciler. `operations` counts {operation, result}."""

    client: Client
    cluster: Cluster
    cycle: PlacementCycle
    sizing: Models
    isolator: ResourceIsolator
    recorder: EventRecorder
    clock: Clock
    operations: Counter

    def count(self, operation: str, result: str) -> None:
        """Count one scheduler operation."""
        self.operations.add(1, {"operation": operation, "result": result})
