"""Scattered models: nodes whose pods could be brought together, and what is asked about them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.gpu.identity import PartitionId
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Holder, Node, Snapshot
from controller.repartition.defragmentation import Field
from controller.repartition.victims import Victim
from tests.builders.demand import constrained
from tests.builders.gpu import gpu
from tests.builders.node import node
from tests.builders.policy import policy_view
from tests.builders.victim import victim

RULES = policy_view("shared", max_unavailable_pods=4)


def holding(pod: str) -> Holder:
    """Who holds the partition of a pod of team-b."""
    return Holder("ours", f"team-b/aim-{pod}", constrained().resources)


def used(number: int, mode: str, *pods: str) -> Gpu:
    """A GPU whose first partitions hold pods of team-b, one each."""
    return gpu(number, mode, holders={index: holding(name) for index, name in enumerate(pods)})


def host(*gpus: Gpu, name: str = "worker-0", **policy: Any) -> Node:
    """A node that the policy `shared` rules."""
    return node(name, *gpus, policy=replace(RULES, **policy))


def scene(*nodes: Node, waiting: Sequence[Demand] = (), gib: float | Mapping[str, float] = 16, **fields: Any) -> Field:
    """What is asked of the nodes; every pod of `used` needs `gib` GiB, or what `gib` says of it by name."""

    def moves(claim: str, partition: PartitionId) -> Victim | None:
        pod = claim.removeprefix("team-b/aim-")
        size = gib if isinstance(gib, int | float) else gib.get(pod, 16)
        return replace(victim(pod, gib=size), partition=partition)

    values: dict[str, Any] = {"victim": moves, "schedule": ModelScheduler().schedule} | fields
    return Field(Snapshot(nodes), "shared", tuple(waiting), **values)
