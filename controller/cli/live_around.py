"""What bears on a trial in a real cluster: changes under way, claims that have a place, and who comes after them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from controller.cli.explain_claim import asked_of
from controller.cli.live_cluster import Live
from controller.cli.trial import Around
from controller.cli.trial_changes import UnderWay
from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.occupant import Occupant
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.gang_members import members
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from controller.repartition import joint
from controller.repartition.phases import TERMINAL, Phase
from controller.repartition.planner import Standing
from controller.state.cluster import Cluster
from controller.state.movable import MovablePods
from controller.state.occupancy import admin_held
from controller.state.occupants import occupants


def around_of(live: Live, gone: Collection[str]) -> Around:
    """The cluster without the claims of these keys, which are to leave anyway."""
    cluster = live.cluster

    def placed_of_gang(demand: Demand) -> int:
        found = members(cluster, demand.namespace, demand.gang)
        return sum(each.bound and each.key not in gone for each in found)

    return Around(
        changes=UnderWay(
            cluster.plan_table.active_nodes(), _expected(cluster), lambda taken: _standing(cluster, taken)
        ),
        occupants=tuple(each for each in _occupants(cluster) if each.key not in gone),
        successor=lambda occupant: successor_of(live, occupant),
        gang_placed=placed_of_gang,
        now_seconds=cluster.clock.now().timestamp(),
    )


def successor_of(live: Live, occupant: Occupant) -> Demand | None:
    """What the pod asks for that its controller makes after one that left; None where nobody makes one."""
    asked = asked_of(live, occupant.key) if occupant.owned else None
    if asked is None:
        return None
    now = live.cluster.clock.now().timestamp()
    return replace(asked.demand, uid=f"after {asked.demand.uid}", created_seconds=now)


def _standing(cluster: Cluster, snapshot: Snapshot) -> Standing:
    unavailable = unavailable_pods(cluster, cluster.plan_table.values())
    return Standing(unavailable, admin_held(cluster), movable=MovablePods(cluster, snapshot))


def _expected(cluster: Cluster) -> Mapping[str, joint.Expected]:
    """What plans under way will make of their nodes."""
    found = {}
    for plan in sorted(cluster.plan_table.values(), key=lambda plan: plan.metadata.name):
        if not plan.spec.dry_run and Phase(plan.status.phase) not in TERMINAL | {Phase.ROLLING_BACK}:
            modes = {gpu.bdf: Mode.parse(gpu.mode) for gpu in plan.spec.to.gpus}
            found[plan.spec.node] = joint.Expected(plan.metadata.name, modes)
    return found


def _occupants(cluster: Cluster) -> tuple[Occupant, ...]:
    nodes = cluster.snapshot().nodes
    policies = {node.name: node.policy.name if node.policy is not None else "" for node in nodes}
    return tuple(occupants(cluster.claim_table, cluster.pod_table, lambda name: policies.get(name, "")))
