"""What every step of the claim flow works with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from controller.binding.isolation import ResourceIsolator
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.state.cluster import Cluster
from controller.state.models import Models

if TYPE_CHECKING:  # by those who only look and decide, none of these is loaded
    from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
    from controller.reconcilers.scheduler_counts import SchedulerCounts
    from controller.runtime.event_recorder import EventRecorder


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
    """The collaborators of the claim reconciler."""

    client: Client
    cluster: Cluster
    cycle: "PlacementCycle"
    sizing: Models
    isolator: ResourceIsolator
    recorder: "EventRecorder"
    clock: Clock
    counts: "SchedulerCounts"

    def count(self, operation: str, result: str) -> None:
        """Count one scheduler operation."""
        self.counts.operation(operation, result)
