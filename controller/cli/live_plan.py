"""What would become of files in the real cluster: the offline plan's trial on a copy of the nodes as they are. No I/O.

    files + cluster -> pods that stay, leave, come -> nodes without those that leave -> Trial -> what is new

A service whose pods would ask for something else has its old pods gone before its new ones come; how the operator
really replaces them, one by one if need be, is its own decision at the time. Claims of others that wait take part: what
is freed may be theirs first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from controller.cli.live_around import after_of, around_of, waiting_in
from controller.cli.live_cluster import Live
from controller.cli.live_drafts import Draft, Present, draft_of, present_of
from controller.cli.live_feed import feed
from controller.cli.offline_plan import is_helpless, remedied
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
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized
from controller.reconcilers.gpu_partition_claim.asking_for_less import Lesser
from controller.reconcilers.gpu_partition_claim.explaining import circumstances
from controller.repartition.planner import Proposal
from controller.repartition.victims import Victim
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

    @property
    def waits(self) -> bool:
        """Whether a new pod of it would wait."""
        return self.blocked is not None or bool(self.warning) or any(row.placed is None for row in self.new)


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

    @property
    def waiting(self) -> tuple[str, ...]:
        """Keys of services of which a new pod would wait, those among them whose update would be held back."""
        return tuple(each.workload.key for each in self.services if each.waits)


def plan_live(live: Live, wanted: Wanted, scheduler: ModelScheduler) -> LivePlan:
    """What would become of `wanted`. Feeds its policies, profiles and namespaces to the copy that was read.

    An update of a service of ours whose new pods find no place even without the old ones is held back, as the operator
    does it, and all is tried again with the old ones where they are.
    """
    feed(live, wanted)
    wanted = replace(wanted, workloads=with_priorities(wanted.workloads, {**live.classes, **wanted.classes}))
    drafts = [draft_of(live, index, workload) for index, workload in enumerate(wanted.workloads)]
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


def _held_back(draft: Draft, found: ServiceChange) -> Draft:
    """The old pods serve on, as many as are wanted."""
    serve = draft.gone[: draft.workload.replicas]
    why = next(row for row in found.new if row.placed is None)
    return replace(
        draft, kept=serve, gone=draft.gone[len(serve) :], changed=False, demands=(), blocked=why, offers=found.offers
    )


def _tried(live: Live, wanted: Wanted, drafts: Sequence[Draft], scheduler: ModelScheduler) -> LivePlan:
    concerned = frozenset(present.key for workload in wanted.workloads for present in present_of(live, workload))
    gone = [present.key for draft in drafts for present in draft.gone]
    snapshot = live.cluster.snapshot()
    with snapshot.without(gone):
        nodes = [as_tried(snapshot, node) for node in snapshot.nodes]
    trial = Trial(nodes, tuple(live.cluster.policy_table.values()), around_of(live, gone), scheduler)
    others = {demand.uid: demand for demand in waiting_in(live, concerned)}
    refused = {demand.uid: why for draft in drafts for demand in draft.demands if (why := _refused(live, demand))}
    asked = [demand for draft in drafts for demand in draft.demands if demand.uid not in refused]
    expected = trial.run(chain(asked, others.values())) | {uid: Expected(why) for uid, why in refused.items()}
    after = trial.snapshot()
    return LivePlan(
        services=tuple(_service(live, draft, expected, after, scheduler) for draft in drafts),
        changes=tuple(trial.changes),
        moved=trial.moved,
        others={others[uid].key: placed for uid in others if (placed := expected[uid].placed) is not None},
        leaving=tuple((each, after_of(each, expected)) for each in trial.leaving),
    )


def _refused(live: Live, demand: Demand) -> Unplaced | None:
    labels = live.cluster.namespace_labels.get(demand.namespace) or {}
    return refuse_choice(demand, labels, tuple(live.cluster.policy_table.values()))


def _service(
    live: Live, draft: Draft, expected: Mapping[str, Expected], after: Snapshot, scheduler: ModelScheduler
) -> ServiceChange:
    if draft.blocked is not None:
        rows: tuple[Expected, ...] = ()
    elif isinstance(draft.need, Unsized):
        rows = (Expected(Unplaced(draft.need.reason, draft.need.message)),) * draft.workload.replicas
    else:
        lesser = Lesser(draft.workload.pod, draft.workload.service, live.sizing)
        rows = tuple(remedied(expected[demand.uid], demand, lesser, after) for demand in draft.demands)
    waits = [demand for demand, row in zip(draft.demands, rows, strict=False) if is_helpless(row)]
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
