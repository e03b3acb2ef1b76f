"""What is asked of the cluster: one policy's nodes, the claims that wait, who may be moved and what that costs."""

from collections.abc import Iterator

from api.v1beta1 import GPUSharingPolicy
from controller.gpu.identity import PartitionId
from controller.placement.demand import Demand
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.reconcilers.repartition_plan.cost import started_in
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from controller.repartition.defragmentation import Field, Worth
from controller.repartition.disruption_budget import Usage
from controller.repartition.victims import Victim
from controller.state.cluster import Cluster
from controller.state.durations import change_seconds
from controller.state.movable import victim_of
from controller.state.occupancy import admin_held


def field_of(cluster: Cluster, cycle: PlacementCycle, policy: GPUSharingPolicy) -> Field:
    """The question for one policy, on a snapshot of this moment."""
    snapshot, plans = cluster.snapshot(), cluster.plan_table
    changing = {node.name for node in snapshot.nodes if any(gpu.plan for gpu in node.gpus)}
    rules = policy.spec.defragmentation

    def victim(claim: str, partition: PartitionId) -> Victim | None:
        return victim_of(cluster, claim, partition)

    return Field(
        snapshot=snapshot,
        policy=policy.metadata.name,
        waiting=tuple(_waiting(cluster, cycle)),
        victim=victim,
        schedule=cycle.scheduler.schedule,
        start_seconds=lambda each: started_in(cluster, each),
        change_seconds=change_seconds(plans.values(), reload=False),
        usage=Usage(tuple(sorted(changing.union(plans.active_nodes()))), unavailable_pods(cluster, plans.values())),
        admin_held=admin_held(cluster),
        worth=Worth(rules.min_gain, rules.max_evictions),
    )


def _waiting(cluster: Cluster, cycle: PlacementCycle) -> Iterator[Demand]:
    """Claims that found no place and for which nothing is under way; gangs and share groups are placed otherwise."""
    for key in cycle.waiting_keys:
        demand, kept = cycle.unplaced(key), cluster.nominations.get(key)
        if demand is None or demand.gang or demand.shared is not None:
            continue
        comes = cluster.plan_table.for_claim(demand.uid) is not None or (kept is not None and not kept.reserved)
        if not comes:
            yield demand
