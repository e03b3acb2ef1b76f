"""What bears on a trial in a real cluster: changes under way, claims that have a place, and who comes after them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from controller.cli.explain_claim import asked_of
from controller.cli.live_budgets import Budgets, Evictable
from controller.cli.live_cluster import Live
from controller.cli.trial import Around, Expected, Leaving
from controller.cli.trial_changes import UnderWay
from controller.cli.trial_victims import Leave
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
    cluster, budgets = live.cluster, Budgets(live.budgets, live.cluster.pod_table)

    def placed_of_gang(demand: Demand) -> int:
        found = members(cluster, demand.namespace, demand.gang)
        return sum(each.bound and each.key not in gone for each in found)

    return Around(
        changes=UnderWay(
            cluster.plan_table.active_nodes(), _expected(cluster), lambda taken: _standing(cluster, taken, budgets)
        ),
        occupants=tuple(each for each in _occupants(cluster, budgets) if each.key not in gone),
        successor=lambda occupant: successor_of(live, occupant),
        gang_placed=placed_of_gang,
        now_seconds=cluster.clock.now().timestamp(),
        leave=Leave(budgets.refused, lambda demand: _asked_to_leave(cluster, demand)),
    )


def successor_of(live: Live, occupant: Occupant) -> Demand | None:
    """What the pod asks for that its controller makes after one that left; None where nobody makes one."""
    asked = asked_of(live, occupant.key) if occupant.owned else None
    if asked is None:
        return None
    now = live.cluster.clock.now().timestamp()
    return replace(asked.demand, uid=f"after {asked.demand.uid}", created_seconds=now)


def waiting_in(live: Live, concerned: frozenset[str] = frozenset()) -> Iterator[Demand]:
    """What claims ask for that wait already, without those of the keys `concerned`."""
    for key, claim in live.cluster.claim_table.items():
        if key not in concerned and claim.status.allocation is None:
            asked = asked_of(live, key)
            if asked is not None and asked.pod.gated and not asked.pod.foreign_gates and not asked.pod.deleting:
                yield asked.demand


def after_of(leaving: Leaving, expected: Mapping[str, Expected]) -> Expected | None:
    """What becomes of the pod that comes after one that leaves; None where nobody makes one."""
    return expected.get(leaving.successor.uid) if leaving.successor is not None else None


def _asked_to_leave(cluster: Cluster, demand: Demand) -> frozenset[str] | None:
    """The uids of those who were asked to leave the place that is kept for a claim that waits."""
    kept = cluster.nominations.get(demand.key)
    return kept.victims if kept is not None and kept.uid == demand.uid and not kept.reserved else None


def _standing(cluster: Cluster, snapshot: Snapshot, budgets: Budgets) -> Standing:
    unavailable = unavailable_pods(cluster, cluster.plan_table.values())
    movable = Evictable(MovablePods(cluster, snapshot), budgets.lets_go)
    return Standing(unavailable, admin_held(cluster), movable=movable)


def _expected(cluster: Cluster) -> Mapping[str, joint.Expected]:
    """What plans under way will make of their nodes."""
    found = {}
    for plan in sorted(cluster.plan_table.values(), key=lambda plan: plan.metadata.name):
        if not plan.spec.dry_run and Phase(plan.status.phase) not in TERMINAL | {Phase.ROLLING_BACK}:
            modes = {gpu.bdf: Mode.parse(gpu.mode) for gpu in plan.spec.to.gpus}
            found[plan.spec.node] = joint.Expected(plan.metadata.name, modes)
    return found


def _occupants(cluster: Cluster, budgets: Budgets) -> Iterator[Occupant]:
    """Claims that have a place. Where as many pods are down for changes as a policy lets be, nobody else leaves."""
    nodes = {node.name: node.policy for node in cluster.snapshot().nodes if node.policy is not None}
    down = unavailable_pods(cluster, cluster.plan_table.values())
    used_up = {name for name, policy in nodes.items() if 0 < policy.max_unavailable_pods <= down}

    def policy_of(name: str) -> str:
        return nodes[name].name if name in nodes else ""

    for each in occupants(cluster.claim_table, cluster.pod_table, policy_of):
        yield replace(each, refused=each.node in used_up or bool(budgets.refused([each])))
