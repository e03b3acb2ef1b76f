"""What would become of workloads on nodes: the operator's own sizing, placement and planning, nothing carried out.

    demands -> ModelScheduler.cycle -> those left over -> planner.propose -> an automatic change is taken as done, and
    those left over are tried again

Mode changes are assumed to succeed one after another; a node's cooldown starts with its change, and a change that
waits for an approval is told but not taken as done. Pods that a change moves get their places before it.
Workloads come in the order of the files. No I/O.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from api.duration import parse_duration
from api.v1beta1 import GPUSharingPolicy
from controller.cli.grouped import Asked, decision_for, together
from controller.cli.offline_nodes import OfflineNode, placement_node
from controller.cli.wanted import Wanted, Workload
from controller.placement.changes.modes import changed_node
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Node, Snapshot
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, claim_for, count_of, need_of
from controller.reconcilers.gpu_partition_claim.placing import requirement_of
from controller.repartition.disruption_budget import Refused
from controller.repartition.drain import Drain, decide_drain
from controller.repartition.planner import NOTHING_ELSE, Proposal, Standing, propose
from controller.repartition.victims import Victim
from controller.state.models import Models
from controller.translate.share_group import group_of


@dataclass(frozen=True, slots=True)
class Expected:
    """What becomes of one replica. `change` is the mode change that makes its place, `no_change` why none does."""

    decision: Decision
    change: Proposal | None = None
    no_change: Refused | None = None

    @property
    def placed(self) -> Placed | None:
        """The place, None when there is none."""
        return self.decision if isinstance(self.decision, Placed) else None


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service, its need, and an expectation a replica."""

    workload: Workload
    need: Need | Unsized
    replicas: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """The services in the order of the files, and the mode changes in the order in which they would run."""

    services: tuple[ServicePlan, ...]
    changes: tuple[Proposal, ...]

    @property
    def placed(self) -> int:
        """Replicas with a place."""
        return sum(expected.placed is not None for service in self.services for expected in service.replicas)

    @property
    def pending(self) -> int:
        """Replicas without one."""
        return sum(len(service.replicas) for service in self.services) - self.placed


def expect(wanted: Wanted, nodes: Sequence[OfflineNode], sizing: Models) -> OfflinePlan:
    """What would become of `wanted` on empty `nodes`."""
    needs = [need_of(workload.pod, sizing, count_of(workload.pod, workload.service)) for workload in wanted.workloads]
    demands: dict[tuple[int, int], Demand] = {}
    for index, (workload, need) in enumerate(zip(wanted.workloads, needs, strict=True)):
        for replica in range(workload.replicas if isinstance(need, Need) else 0):
            demands[index, replica] = demand_for(workload, need, index, replica)
    trial = Trial([placement_node(node, wanted.policies, wanted.namespaces) for node in nodes], wanted.policies)
    asked = together((demand, group_of(wanted.workloads[index].pod)) for (index, _), demand in demands.items())
    expected = trial.run(asked.demands)
    services = []
    for index, (workload, need) in enumerate(zip(wanted.workloads, needs, strict=True)):
        if isinstance(need, Unsized):
            rows = (Expected(Unplaced(need.reason, need.message)),) * workload.replicas
        else:
            rows = tuple(_row(asked, expected, demands[index, replica]) for replica in range(workload.replicas))
        services.append(ServicePlan(workload, need, rows))
    return OfflinePlan(tuple(services), tuple(trial.changes))


def _row(asked: Asked, expected: Mapping[str, Expected], demand: Demand) -> Expected:
    """What becomes of one replica; of a share group's member what becomes of the group, as far as the share fits."""
    if demand.uid not in asked.founders:
        return expected[demand.uid]
    whole, place = asked.founders[demand.uid]
    found = expected[whole.uid]
    return replace(found, decision=decision_for(whole, place, found.decision))


def demand_for(workload: Workload, need: Need | Unsized, index: int, replica: int) -> Demand:
    """What one replica would ask; `index` is the workload's place in the files."""
    claim = claim_for(workload.pod, f"{workload.name}-{replica}", need, workload.service)
    return Demand(
        key=f"{workload.key}-{replica}",
        uid=f"{index}/{replica}",
        namespace=workload.namespace,
        requirement=requirement_of(claim),
        pod=workload.constraints,
        priority=workload.pod.priority,
        created_seconds=float(index),
        policy=claim.spec.policy_ref,
        of_service=workload.service is not None,
        service=workload.key if workload.service is not None else "",
    )


@dataclass(frozen=True, slots=True)
class Around:
    """What bears on changes in a real cluster. `active` nodes have one under way; `standing` is asked of a snapshot."""

    active: tuple[str, ...] = ()
    standing: Callable[[Snapshot], Standing] = lambda _: NOTHING_ELSE


EMPTY: Final = Around()


class Trial:
    """Nodes on which demands are tried. Mutable: modes change as automatic plans are taken as done.

    `changes` are those, in their order; `moved` says of each pod that one of them moves where it goes.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        policies: Iterable[GPUSharingPolicy],
        around: Around = EMPTY,
        scheduler: ModelScheduler | None = None,
    ) -> None:
        self._around = around
        self._scheduler = scheduler or ModelScheduler.by_policy()
        self._nodes = {node.name: node for node in nodes}
        self._cooldowns = {
            policy.metadata.name: parse_duration(policy.spec.repartition.cooldown) for policy in policies
        }
        self._held: list[tuple[Demand, Placed]] = []
        self.changes: list[Proposal] = []
        self.moved: dict[Victim, Placed] = {}

    def run(self, demands: Iterable[Demand]) -> dict[str, Expected]:
        """What becomes of each demand, by its uid."""
        expected: dict[str, Expected] = {}
        waiting = order(demands)
        while waiting:
            waiting = self._cycle(waiting, expected)
            demand = self._change_for_one(waiting, expected)
            if demand is None:
                break
            # The operator binds the claim that a change was made for before the others get to see it free.
            self._cycle([demand], expected, self.changes[-1])
            waiting = [other for other in waiting if other is not demand]
        return expected

    def _cycle(
        self, demands: Sequence[Demand], expected: dict[str, Expected], change: Proposal | None = None
    ) -> list[Demand]:
        """One cycle of placement; gives the demands that found no place."""
        left = []
        for demand, decision in self._scheduler.cycle(self.snapshot(), demands):
            expected[demand.uid] = Expected(decision, change)
            if isinstance(decision, Placed):
                self._held.append((demand, decision))
            else:
                left.append(demand)
        return left

    def _change_for_one(self, waiting: Sequence[Demand], expected: dict[str, Expected]) -> Demand | None:
        """Take the first automatic change that helps a demand as done, and give the demand; note the rest."""
        snapshot = self.snapshot()
        standing = self._around.standing(snapshot)
        for demand in waiting:
            answer = propose(snapshot, demand, self._around.active, standing)
            present = expected[demand.uid]
            if isinstance(answer, Refused):
                expected[demand.uid] = replace(present, no_change=answer)
            elif not answer.automatic:
                expected[demand.uid] = replace(present, change=answer)
            else:
                self._apply(answer)
                return demand
        return None

    def _apply(self, change: Proposal) -> None:
        self._move(change)
        node = self._nodes[change.node]
        after = dict(change.after)
        changed = changed_node(node, after)
        if changed is None:
            raise RuntimeError(f"node {node.name}: no table has the modes {change.after} that were proposed for it")
        used = node.used
        for victim in change.victims:
            used = used.minus(victim.constraints.resources)
        policy = node.policy
        if policy is not None:
            policy = replace(policy, cooldown_left=self._cooldowns.get(policy.name, 0.0))
        self._nodes[node.name] = replace(changed, used=used, policy=policy)
        self.changes.append(change)

    def _move(self, change: Proposal) -> None:
        """Keep a place elsewhere for each pod that the change moves, as its plan would before it evicts anybody."""
        snapshot, touched = self.snapshot(), frozenset(bdf for bdf, _ in change.after)
        found = decide_drain(
            snapshot, change.node, touched, change.victims, budget_left=len(change.victims), allowed=lambda _: True
        )
        for move in found.moves if isinstance(found, Drain) else ():
            node = self._nodes[move.node]
            gpu = next(each for each in node.gpus if each.bdf == move.partition.bdf)
            placed = Placed.on(node, gpu, *(each for each in gpu.partitions if each.id == move.partition))
            self.moved[move.victim] = placed
            self._held.append((move.victim.demand, placed))

    def snapshot(self) -> Snapshot:
        """The nodes with all that was placed."""
        snapshot = Snapshot(self._nodes.values())
        for demand, placed in self._held:
            snapshot.hold(placed.node, placed.partitions, demand.key, demand.pod.resources)
        return snapshot
