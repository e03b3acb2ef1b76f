"""What would become of workloads on empty nodes: the operator's own sizing, and a trial. No I/O.

Workloads come in the order of the files, those of higher priority first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controller.cli.grouped import Asked, decision_for, together
from controller.cli.offline_nodes import OfflineNode, placement_node
from controller.cli.trial import Expected, Leaving, Trial
from controller.cli.wanted import Wanted
from controller.cli.workload import Workload
from controller.placement.decision import Unplaced
from controller.placement.demand import Demand
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, claim_for, count_of, need_of
from controller.reconcilers.gpu_partition_claim.placing import requirement_of
from controller.reconcilers.gpu_partition_claim.profile import qos_class_of
from controller.repartition.planner import Proposal
from controller.state.models import Models
from controller.translate.request import gang_request
from controller.translate.share_group import group_of


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service, its need, and an expectation a replica."""

    workload: Workload
    need: Need | Unsized
    replicas: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """The services in the order of the files; mode changes, and pods that leave for others, in theirs."""

    services: tuple[ServicePlan, ...]
    changes: tuple[Proposal, ...]
    leaving: tuple[Leaving, ...] = ()

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
    return OfflinePlan(tuple(services), tuple(trial.changes), tuple(trial.leaving))


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
    gang = gang_request(workload.pod.annotations)
    return Demand(
        key=f"{workload.key}-{replica}",
        uid=f"{index}/{replica}",
        namespace=workload.namespace,
        requirement=requirement_of(claim),
        pod=workload.constraints,
        priority=workload.pod.priority,
        created_seconds=float(index),
        policy=claim.spec.policy_ref,
        qos_class=qos_class_of(workload.pod, workload.service),
        of_service=workload.service is not None,
        service=workload.key if workload.service is not None else "",
        preempts=workload.pod.preempts,
        gang=gang.name if gang is not None else "",
        gang_size=gang.size if gang is not None else 1,
    )
