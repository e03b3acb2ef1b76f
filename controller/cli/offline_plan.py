"""What would become of workloads on empty nodes: the operator's own sizing, and a trial. No I/O.

Workloads come in the order of the files, those of higher priority first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controller.cli.grouped import Asked, Membership, fates, together
from controller.cli.offline_nodes import OfflineNode, placement_node
from controller.cli.trial import Expected, Leaving, Trial
from controller.cli.wanted import Wanted
from controller.cli.workload import Workload
from controller.gpu.identity import PartitionId
from controller.placement.changes.look import Circumstances
from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.nearest import Offer, nearest
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, claim_for, count_of, need_of
from controller.reconcilers.gpu_partition_claim.asking_for_less import Lesser, with_remedy
from controller.reconcilers.gpu_partition_claim.placing import requirement_of
from controller.reconcilers.gpu_partition_claim.profile import qos_class_of
from controller.repartition.planner import Proposal
from controller.state.models import Models
from controller.translate.guarantees import promised, shared_bound
from controller.translate.request import gang_request
from controller.translate.share_group import group_of


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service, its need, an expectation a replica, and what would help the first that waits, the nearest first."""

    workload: Workload
    need: Need | Unsized
    replicas: tuple[Expected, ...]
    offers: tuple[Offer, ...] = ()

    @property
    def places(self) -> tuple[Placed, ...]:
        """Those of its replicas that have one."""
        return tuple(expected.placed for expected in self.replicas if expected.placed is not None)


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """The services in the order of the files; mode changes, and pods that leave for others, in theirs."""

    services: tuple[ServicePlan, ...]
    changes: tuple[Proposal, ...]
    leaving: tuple[Leaving, ...] = ()

    @property
    def placed(self) -> int:
        """Replicas with a place."""
        return sum(len(service.places) for service in self.services)

    @property
    def pending(self) -> int:
        """Replicas without one."""
        return sum(len(service.replicas) for service in self.services) - self.placed

    @property
    def waiting(self) -> tuple[str, ...]:
        """Keys of services of which a replica has no place."""
        return tuple(each.workload.key for each in self.services if len(each.places) < len(each.replicas))

    @property
    def partitions(self) -> frozenset[tuple[str, PartitionId]]:
        """The partitions that are taken, each with its node: one where several share it."""
        places = (placed for service in self.services for placed in service.places)
        return frozenset((placed.node.name, one) for placed in places for one in placed.ids)

    @property
    def gpus(self) -> frozenset[tuple[str, str]]:
        """The GPUs of those partitions, each with its node."""
        return frozenset((node, partition.bdf) for node, partition in self.partitions)


def expect(wanted: Wanted, nodes: Sequence[OfflineNode], sizing: Models) -> OfflinePlan:
    """What would become of `wanted` on empty `nodes`."""
    needs = [need_of(workload.pod, sizing, count_of(workload.pod, workload.service)) for workload in wanted.workloads]
    demands: dict[tuple[int, int], Demand] = {}
    for index, (workload, need) in enumerate(zip(wanted.workloads, needs, strict=True)):
        for replica in range(workload.replicas if isinstance(need, Need) else 0):
            demands[index, replica] = demand_for(workload, need, index, replica)
    scheduler = ModelScheduler.by_policy()
    placement = [placement_node(node, wanted.policies, wanted.namespaces) for node in nodes]
    trial = Trial(placement, wanted.policies, scheduler=scheduler)
    memberships = [_membership(wanted, *pair) for pair in zip(wanted.workloads, needs, strict=True)]
    asked = together((demand, memberships[index]) for (index, _), demand in demands.items())
    expected = trial.run(asked.demands)
    after = trial.snapshot()
    rows = _rows(asked, expected, after)
    helping = Helping(after, scheduler, {each.key: each.priority for each in demands.values()})
    services = []
    for index, (workload, need) in enumerate(zip(wanted.workloads, needs, strict=True)):
        if isinstance(need, Unsized):
            unsized = Expected(Unplaced(need.reason, need.message))
            services.append(ServicePlan(workload, need, (unsized,) * workload.replicas))
            continue
        lesser = Lesser(workload.pod, workload.service, sizing)
        own = [demands[index, replica] for replica in range(workload.replicas)]
        services.append(helping.served(workload, need, lesser, [(demand, rows[demand.uid]) for demand in own]))
    return OfflinePlan(tuple(services), tuple(trial.changes), tuple(trial.leaving))


@dataclass(frozen=True, slots=True)
class Helping:
    """What could help those that wait once everything is where it goes. `priorities`: by claim, of the pods."""

    after: Snapshot
    scheduler: ModelScheduler
    priorities: Mapping[str, int]

    def served(
        self, workload: Workload, need: Need, lesser: Lesser, rows: Sequence[tuple[Demand, Expected]]
    ) -> ServicePlan:
        """The service's plan, told what of its model would fit, and the nearest changes for the first that waits."""
        told = tuple(remedied(row, demand, lesser, self.after) for demand, row in rows)
        waits = [demand for (demand, _), row in zip(rows, told, strict=True) if is_helpless(row)]
        around = Circumstances(evictable=self.priorities.get, smaller=lesser)
        # of a gang or a share group one pod alone may well have a place
        alone = waits and not waits[0].gang and group_of(workload.pod) is None
        offers = nearest(self.after, waits[0], around, self.scheduler.scorer) if alone else ()
        return ServicePlan(workload, need, told, offers)


def remedied(row: Expected, demand: Demand, lesser: Lesser, after: Snapshot) -> Expected:
    """The expectation; of a model that is too large for any GPU with what of it would fit."""
    if not isinstance(row.decision, Unplaced):
        return row
    return replace(row, decision=with_remedy(row.decision, demand, lesser, after))


def is_helpless(row: Expected) -> bool:
    """Whether the replica waits for a place that some change might give it."""
    return isinstance(row.decision, Unplaced) and bool(row.decision.refusals)


def _membership(wanted: Wanted, workload: Workload, need: Need | Unsized) -> Membership | None:
    """What each pod of the workload asks of its share group; None for pods on their own."""
    group = group_of(workload.pod)
    if group is None or isinstance(need, Unsized):
        return None
    labels = wanted.namespaces.get(workload.namespace, {})
    return Membership(
        group,
        need.sizing.total_bytes,
        workload.key if workload.service is not None else "",
        promised(workload.service),
        shared_bound(need.request.policy, labels, wanted.policies),
    )


def _rows(asked: Asked, expected: Mapping[str, Expected], after: Snapshot) -> dict[str, Expected]:
    """What becomes of each replica, by its uid; of a share group's members what they get of the group's place."""
    rows = dict(expected)
    for group in asked.groups:
        found = expected[group.whole.uid]
        told = fates(group, found.decision, after)
        rows |= {uid: replace(found, decision=decision) for uid, decision in told.items()}
    return rows


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
        rules=workload.rules,
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
