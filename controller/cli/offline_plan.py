"""What would become of workloads on nodes: the operator's own sizing, placement and planning, without a cluster.

    demands -> ModelScheduler.cycle -> those left over -> planner.propose -> an automatic change is taken as done, and
    those left over are tried again

Mode changes are assumed to succeed one after another; a node's cooldown starts with its change, and a change that
waits for an approval is told but not taken as done. Workloads come in the order of the files. No I/O.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from api.duration import parse_duration
from api.v1beta1 import GPUSharingPolicy
from controller.cli.offline_nodes import OfflineNode, partitions, placement_node
from controller.cli.wanted import Wanted, Workload
from controller.gpu.mode import Mode
from controller.gpu.product import product_named
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, claim_for, count_of, need_of
from controller.reconcilers.gpu_partition_claim.placing import requirement_of
from controller.repartition.disruption_budget import Refused
from controller.repartition.planner import Proposal, propose
from controller.state.models import Models


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
            demands[index, replica] = _demand(workload, need, index, replica)
    trial = _Trial([placement_node(node, wanted.policies, wanted.namespaces) for node in nodes], wanted.policies)
    expected = trial.run(demands.values())
    services = []
    for index, (workload, need) in enumerate(zip(wanted.workloads, needs, strict=True)):
        if isinstance(need, Unsized):
            rows = (Expected(Unplaced(need.reason, need.message)),) * workload.replicas
        else:
            rows = tuple(expected[demands[index, replica].uid] for replica in range(workload.replicas))
        services.append(ServicePlan(workload, need, rows))
    return OfflinePlan(tuple(services), tuple(trial.changes))


def _demand(workload: Workload, need: Need | Unsized, index: int, replica: int) -> Demand:
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
    )


class _Trial:
    """Nodes on which demands are tried. Mutable: modes change as automatic plans are taken as done."""

    def __init__(self, nodes: Sequence[Node], policies: Sequence[GPUSharingPolicy]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._cooldowns = {
            policy.metadata.name: parse_duration(policy.spec.repartition.cooldown) for policy in policies
        }
        self._held: list[tuple[Demand, Placed]] = []
        self.changes: list[Proposal] = []

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
        for demand, decision in ModelScheduler.by_policy().cycle(self._snapshot(), demands):
            expected[demand.uid] = Expected(decision, change)
            if isinstance(decision, Placed):
                self._held.append((demand, decision))
            else:
                left.append(demand)
        return left

    def _change_for_one(self, waiting: Sequence[Demand], expected: dict[str, Expected]) -> Demand | None:
        """Take the first automatic change that helps a demand as done, and give the demand; note the rest."""
        snapshot = self._snapshot()
        for demand in waiting:
            answer = propose(snapshot, demand, ())
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
        node = self._nodes[change.node]
        after = dict(change.after)
        gpus = tuple(_in_mode(gpu, after[gpu.bdf]) if gpu.bdf in after else gpu for gpu in node.gpus)
        policy = node.policy
        if policy is not None:
            policy = replace(policy, cooldown_left=self._cooldowns.get(policy.name, 0.0))
        self._nodes[node.name] = replace(node, gpus=gpus, policy=policy)
        self.changes.append(change)

    def _snapshot(self) -> Snapshot:
        snapshot = Snapshot(self._nodes.values())
        for demand, placed in self._held:
            snapshot.hold(placed.node, placed.partitions, demand.key, demand.pod.resources)
        return snapshot


def _in_mode(gpu: Gpu, mode: Mode) -> Gpu:
    return replace(gpu, mode=mode, partitions=partitions(gpu.bdf, product_named(gpu.product), mode))
