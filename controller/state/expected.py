"""The claims that are there, as placement expects others: by them a new process goes on as the one before it."""

from collections.abc import Iterator

from api.quantity import parse_quantity
from api.v1beta1 import GPUPartitionClaim
from controller.placement.expectation import Known
from controller.runtime.manifest import Manifest
from controller.state.held import NOTHING, our_holder
from controller.state.pods import PodTable
from controller.state.table import Table


def known_claims(claims: Table[Manifest, GPUPartitionClaim], pods: PodTable) -> Iterator[Known]:
    """Those that have a place or wait for one, without such as could not be sized or of which no pod is there.

    Of a share group's claim the CPU is that of the members that have their share.
    """
    for key, claim in claims.items():
        memory, created = claim.spec.requirement.memory, claim.metadata.creation_timestamp
        if memory is None or created is None:
            continue
        pod = our_holder(claims, pods, key).resources
        if pod != NOTHING:
            shape = pod.cpu_milli, parse_quantity(memory), claim.spec.requirement.count
            yield Known(claim.metadata.uid, created.timestamp(), shape)
