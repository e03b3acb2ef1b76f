"""Who holds which partition and how much of each node: allocations of every namespace, our claims, our assumptions."""

from typing import Protocol

from api.v1beta1 import GPUNode, GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.runtime.cache.informer import Informer
from controller.runtime.manifest import Manifest
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.state.assumptions import Assumptions
from controller.state.held_devices import Device, HeldDevices
from controller.state.nominations import Nominations
from controller.state.plans import Plans
from controller.state.pods import PodTable
from controller.state.table import Table
from controller.state.update_places import UpdatePlaces
from controller.translate.resource_claim import ResourceClaimView

HOLDING = (ClaimPhase.BOUND, ClaimPhase.ALLOCATED)


class Holdings(Protocol):
    """What says who holds what; `Cluster` has it all."""

    pods: Informer[Pod]
    pod_table: PodTable
    gpu_node_table: Table[Manifest, GPUNode]
    claim_table: Table[Manifest, GPUPartitionClaim]
    resource_claim_table: Table[ResourceClaim, ResourceClaimView]
    plan_table: Plans
    assumptions: Assumptions
    nominations: Nominations
    update_places: UpdatePlaces


class Devices(Protocol):
    """What says who has which device; `Cluster` does."""

    @property
    def held_devices(self) -> HeldDevices:
        """By ResourceClaim."""
        ...


def admin_held(cluster: Devices) -> frozenset[Device]:
    """Devices that somebody holds with adminAccess: they block mode changes only."""
    return cluster.held_devices.watched
