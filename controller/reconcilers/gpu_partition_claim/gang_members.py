"""The pods of a gang that live and have a claim."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.v1beta1 import GPUPartitionClaim
from controller.placement.demand import Demand
from controller.placement.gangs import Gang
from controller.state.cluster import Cluster
from controller.state.occupancy import HOLDING
from controller.translate.pod import PodView
from controller.translate.request import gang_request


@dataclass(frozen=True, slots=True)
class Member:
    """A live pod of a gang with its claim. `bound`: it has a place, or one was decided."""

    key: str
    claim: GPUPartitionClaim
    pod: PodView
    bound: bool


def members(cluster: Cluster, namespace: str, gang: str) -> Iterator[Member]:
    """The gang's pods that have a claim, and are not on their way out."""
    for claim in cluster.claims_in(namespace):
        pod = cluster.pod_table.of_claim(claim)
        wanted = gang_request(pod.annotations) if pod is not None else None
        if pod is None or wanted is None or wanted.name != gang or pod.deleting or pod.terminal:
            continue
        key = f"{namespace}/{claim.metadata.name}"
        holds = claim.status.phase in HOLDING and claim.status.allocation is not None
        yield Member(key, claim, pod, holds or cluster.assumptions.get(key) is not None)


def gang_in(cluster: Cluster, waiting: Sequence[Demand]) -> Gang:
    """The gang that the waiting demands belong to, with how many of it have a place already."""
    first, keys = waiting[0], {demand.key for demand in waiting}
    placed = sum(each.bound and each.key not in keys for each in members(cluster, first.namespace, first.gang))
    return Gang(first.gang, tuple(waiting), placed)
