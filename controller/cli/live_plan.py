"""What would become of files in the real cluster: the offline plan's trial on a copy of the nodes as they are. No I/O.

    files + cluster -> pods that stay, leave, come -> nodes without those that leave -> Trial -> what is new

A service whose pods would ask for something else has its old pods gone before its new ones come; how the operator
really replaces them, one by one if need be, is its own decision at the time. Claims of others that wait take part: what
is freed may be theirs first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from typing import Any

from pydantic import BaseModel

from api.v1beta1 import GPUPartitionClaim
from controller.cli.explain_claim import asked_of
from controller.cli.live_around import around_of
from controller.cli.live_cluster import Live
from controller.cli.offline_plan import demand_for
from controller.cli.priorities import with_priorities
from controller.cli.trial import Expected, Leaving, Trial
from controller.cli.wanted import Wanted
from controller.cli.workload import Workload
from controller.placement.changes.change import as_tried
from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.nearest import Offer, nearest
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, count_of, need_of
from controller.reconcilers.gpu_partition_claim.explaining import circumstances
from controller.reconcilers.gpu_partition_claim.placing import requirement_of
from controller.repartition.planner import Proposal
from controller.repartition.victims import Victim
from controller.runtime.cache.store import EventType, StoreEvent
from controller.state.kserve import POD_LABEL
from controller.state.occupancy import HOLDING
from controller.translate.policy_choice import refuse_choice
from controller.webhooks.kserve_update import update_problem


class Action(StrEnum):
    """What becomes of a service: new, changed, smaller, as it is, or as it is because its update finds no place."""

    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"
    KEEP = "="
    BLOCKED = "!"


@dataclass(frozen=True, slots=True)
class Present:
    """A claim that a pod of the service has now."""

    key: str
    claim: GPUPartitionClaim

    @property
    def placed(self) -> bool:
        """Whether it holds its partition."""
        return self.claim.status.allocation is not None and self.claim.status.phase in HOLDING


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """A service of the files: what stays, what leaves, what is expected of the pods that come, and what would help.

    `blocked`: why its update would be held back, so that what serves now serves on. `warning`: of a service of
    KServe's, which KServe rolls out whatever we say, what admission would warn of.
    """

    workload: Workload
    need: Need | Unsized
    kept: tuple[Present, ...]
    gone: tuple[Present, ...]
    new: tuple[Expected, ...]
    changed: bool
    offers: tuple[Offer, ...] = ()
    blocked: Expected | None = None
    warning: str = ""

    @property
    def action(self) -> Action:
        """The sign of its line."""
        if self.blocked is not None:
            return Action.BLOCKED
        if self.changed:
            return Action.CHANGE
        if self.new:
            return Action.ADD
        return Action.REMOVE if self.gone else Action.KEEP


@dataclass(frozen=True, slots=True)
class LivePlan:
    """Services in the order of the files, mode changes in theirs, pods that changes move, and others' waiting claims
    that would get a place as well.

    `leaving`: pods that leave for those of higher priority, each with what becomes of the one that comes after it.
    """

    services: tuple[ServiceChange, ...]
    changes: tuple[Proposal, ...]
    moved: Mapping[Victim, Placed]
    others: Mapping[str, Placed]
    leaving: tuple[tuple[Leaving, Expected | None], ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    workload: Workload
    need: Need | Unsized
    kept: tuple[Present, ...]
    gone: tuple[Present, ...]
    changed: bool
    demands: tuple[Demand, ...]
    blocked: Expected | None = None
    offers: tuple[Offer, ...] = ()


def plan_live(live: Live, wanted: Wanted, scheduler: ModelScheduler) -> LivePlan:
    """What would become of `wanted`. Feeds its policies, profiles and namespaces to the copy that was read.

    An update of a service of ours whose new pods find no place even without the old ones is held back, as the operator
    does it, and all is tried again with the old ones where they are.
    """
    _feed(live, wanted)
    wanted = replace(wanted, workloads=with_priorities(wanted.workloads, {**live.classes, **wanted.classes}))
    drafts = [_draft(live, index, workload) for index, workload in enumerate(wanted.workloads)]
    while True:
        plan = _tried(live, wanted, drafts, scheduler)
        held = next((index for index, service in enumerate(plan.services) if _finds_no_place(service)), None)
        if held is None:
            return plan
        drafts[held] = _held_back(drafts[held], plan.services[held])


def _finds_no_place(service: ServiceChange) -> bool:
    """Whether fewer new pods of a service of ours find a place than old ones serve."""
    if service.workload.service is None or not service.changed or service.blocked is not None:
        return False
    return sum(row.placed is not None for row in service.new) < min(service.workload.replicas, len(service.gone))


def _held_back(draft: _Draft, found: ServiceChange) -> _Draft:
    """The old pods serve on, as many as are wanted."""
    serve = draft.gone[: draft.workload.replicas]
    why = next(row for row in found.new if row.placed is None)
    return replace(
        draft, kept=serve, gone=draft.gone[len(serve) :], changed=False, demands=(), blocked=why, offers=found.offers
    )


def _tried(live: Live, wanted: Wanted, drafts: Sequence[_Draft], scheduler: ModelScheduler) -> LivePlan:
    concerned = frozenset(present.key for workload in wanted.workloads for present in _present(live, workload))
    gone = [present.key for draft in drafts for present in draft.gone]
    snapshot = live.cluster.snapshot()
    with snapshot.without(gone):
        nodes = [as_tried(snapshot, node) for node in snapshot.nodes]
    trial = Trial(nodes, tuple(live.cluster.policy_table.values()), around_of(live, gone), scheduler)
    others = {demand.uid: demand for demand in _waiting(live, concerned)}
    refused = {demand.uid: why for draft in drafts for demand in draft.demands if (why := _refused(live, demand))}
    asked = [demand for draft in drafts for demand in draft.demands if demand.uid not in refused]
    expected = trial.run(chain(asked, others.values())) | {uid: Expected(why) for uid, why in refused.items()}
    after = trial.snapshot()
    return LivePlan(
        services=tuple(_service(live, draft, expected, after, scheduler) for draft in drafts),
        changes=tuple(trial.changes),
        moved=trial.moved,
        others={others[uid].key: placed for uid in others if (placed := expected[uid].placed) is not None},
        leaving=tuple((each, _after(each, expected)) for each in trial.leaving),
    )


def _after(leaving: Leaving, expected: Mapping[str, Expected]) -> Expected | None:
    return expected.get(leaving.successor.uid) if leaving.successor is not None else None


def _feed(live: Live, wanted: Wanted) -> None:
    for policy in wanted.policies:
        live.cluster.policy_table.take(_event(policy.metadata.name, _aged(live, policy)))
    for profile in wanted.profiles:
        live.sizing.take(
            _event(profile.metadata.name, profile.model_dump(by_alias=True, mode="json", exclude_none=True))
        )
    for name, labels in wanted.namespaces.items():
        if live.cluster.namespace_labels.get(name) is None:
            namespace = {"kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}}
            live.cluster.namespace_labels.take(_event(name, namespace))


def _aged(live: Live, policy: BaseModel) -> dict[str, Any]:
    """The policy as it would be stored: as old as the one of its name that is there, or the youngest of all."""
    stored = policy.model_dump(by_alias=True, mode="json", exclude_none=True)
    present = live.cluster.policy_table.get(stored["metadata"]["name"])
    created = present.metadata.creation_timestamp if present is not None else live.cluster.clock.now()
    if created is not None:
        stored["metadata"]["creationTimestamp"] = created.isoformat().replace("+00:00", "Z")
    return stored


def _event(key: str, obj: dict[str, Any]) -> StoreEvent[Any]:
    return StoreEvent(EventType.ADDED, key, None, obj)


def _draft(live: Live, index: int, workload: Workload) -> _Draft:
    need = need_of(workload.pod, live.sizing, count_of(workload.pod, workload.service))
    present = _present(live, workload)
    if isinstance(need, Unsized):
        return _Draft(workload, need, (), tuple(each for each in present if each.placed), bool(present), ())
    first = demand_for(workload, need, index, 0)
    changed = any(_asks_otherwise(each, first) for each in present)
    placed = [each for each in present if each.placed and not changed]
    kept = tuple(placed[: workload.replicas])
    gone = tuple(each for each in present if each.placed and each not in kept)
    comes = range(len(kept), workload.replicas)
    asked = [demand_for(workload, need, index, replica) for replica in comes]
    demands = _aged_as(live, asked, () if changed else tuple(each for each in present if not each.placed))
    return _Draft(workload, need, kept, gone, changed, tuple(_prioritised(live, each, present) for each in demands))


def _aged_as(live: Live, asked: Sequence[Demand], waiting: Sequence[Present]) -> tuple[Demand, ...]:
    """As old as the pods of the service that wait already; the others come now, in the order of the files."""
    now = live.cluster.clock.now().timestamp()
    pods = (live.cluster.pod_table.of_claim(each.claim) for each in waiting)
    ages = sorted(pod.created_seconds for pod in pods if pod is not None)
    return tuple(
        replace(each, created_seconds=ages[place] if place < len(ages) else now + each.created_seconds)
        for place, each in enumerate(asked)
    )


def _prioritised(live: Live, demand: Demand, present: Iterable[Present]) -> Demand:
    """With the priority that its pods have now: only the API server knows that of a class's name."""
    pods = (live.cluster.pod_table.of_claim(each.claim) for each in present)
    return replace(demand, priority=max((pod.priority for pod in pods if pod is not None), default=demand.priority))


def _present(live: Live, workload: Workload) -> list[Present]:
    found = []
    for key, claim in live.cluster.claim_table.items():
        pod = live.cluster.pod_table.of_claim(claim) if claim.metadata.namespace == workload.namespace else None
        if pod is not None and not pod.terminal and not pod.deleting and _is_of(workload, pod.name, pod.labels):
            found.append(Present(key, claim))
    return sorted(found, key=lambda each: (not each.placed, each.key))


def _is_of(workload: Workload, pod: str, labels: Mapping[str, str]) -> bool:
    """Whether a pod is one of the workload's: by its template's labels, or KServe's own, or its name."""
    if workload.kind == "Pod":
        return pod == workload.name
    own = workload.pod.labels
    if own:
        return all(labels.get(key) == value for key, value in own.items())
    return labels.get(POD_LABEL) == workload.name


def _asks_otherwise(present: Present, demand: Demand) -> bool:
    claim = present.claim
    if claim.spec.requirement.memory is None or claim.spec.policy_ref != demand.policy:
        return True
    return requirement_of(claim) != demand.requirement


def _waiting(live: Live, concerned: frozenset[str]) -> Iterable[Demand]:
    for key, claim in live.cluster.claim_table.items():
        if key not in concerned and claim.status.allocation is None:
            asked = asked_of(live, key)
            if asked is not None and asked.pod.gated and not asked.pod.foreign_gates and not asked.pod.deleting:
                yield asked.demand


def _refused(live: Live, demand: Demand) -> Unplaced | None:
    labels = live.cluster.namespace_labels.get(demand.namespace) or {}
    return refuse_choice(demand, labels, tuple(live.cluster.policy_table.values()))


def _service(
    live: Live, draft: _Draft, expected: Mapping[str, Expected], after: Snapshot, scheduler: ModelScheduler
) -> ServiceChange:
    if draft.blocked is not None:
        rows: tuple[Expected, ...] = ()
    elif isinstance(draft.need, Unsized):
        rows = (Expected(Unplaced(draft.need.reason, draft.need.message)),) * draft.workload.replicas
    else:
        rows = tuple(expected[demand.uid] for demand in draft.demands)
    waits = [demand for demand, row in zip(draft.demands, rows, strict=False) if _helpless(row)]
    offers = draft.offers
    if waits:
        around = circumstances(live.cluster, waits[0], live.sizing, draft.workload.pod, draft.workload.service)
        offers = nearest(after, waits[0], around, scheduler.scorer)
    warning = _warning(live, draft.workload) if draft.changed else ""
    return ServiceChange(
        draft.workload, draft.need, draft.kept, draft.gone, rows, draft.changed, offers, draft.blocked, warning
    )


def _warning(live: Live, workload: Workload) -> str:
    if workload.predictor is None:
        return ""
    spec = {"predictor": workload.predictor}
    problem = update_problem(live.cluster, live.sizing, workload.key, workload.pod.annotations, spec)
    return problem.remedy if problem is not None else ""


def _helpless(row: Expected) -> bool:
    return isinstance(row.decision, Unplaced) and bool(row.decision.refusals)
