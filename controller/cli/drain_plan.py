"""What a node's models would need elsewhere: `aim-gpu plan`'s trial of the pods that come after them. No I/O.

who holds partitions of the node -> what their successors ask for -> the other nodes, this one cordoned -> Trial
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from api.v1beta1 import GPUPartitionClaim
from controller.cli.live_around import after_of, around_of, successor_of, waiting_in
from controller.cli.live_budgets import Budgets
from controller.cli.live_cluster import Live
from controller.cli.trial import Expected, Leaving, Trial
from controller.placement.changes.change import as_tried
from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.occupant import Occupant
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Partition
from controller.repartition.planner import Proposal
from controller.repartition.victims import Victim
from controller.translate.pod import PodView


@dataclass(frozen=True, slots=True)
class Tenant:
    """A pod with a partition of the node. `expected`: what becomes of its successor, None where that is not known.

    `kept`: a disruption budget would refuse its eviction while those before it have no successor that serves. `group`:
    its share group, "" for none.
    """

    pod: PodView
    claim: str
    model: str
    bytes: int
    kept: bool = False
    group: str = ""
    expected: Expected | None = None

    @property
    def name(self) -> str:
        """`namespace/name` of the pod."""
        return f"{self.pod.namespace}/{self.pod.name}"

    @property
    def owned(self) -> bool:
        """Whether a controller makes it anew."""
        return self.pod.owner is not None

    @property
    def placed(self) -> Placed | None:
        """The place of its successor."""
        return self.expected.placed if self.expected is not None else None


@dataclass(frozen=True, slots=True)
class Drainage:
    """What draining a node means. `tenants` leave in this order, the least important first; `ending` leave already.

    `foreign`: partitions that somebody holds who is not managed here; `others`: live pods without a partition of ours.
    `changes`, `moved`, `leaving`: what has to happen elsewhere for the places. `waiting`: claims that wait already and
    would get a place.
    """

    node: str
    cordoned: bool
    tenants: tuple[Tenant, ...]
    ending: tuple[Tenant, ...]
    foreign: int
    others: int
    changes: tuple[Proposal, ...] = ()
    moved: Mapping[Victim, Placed] = field(default_factory=dict)
    leaving: tuple[tuple[Leaving, Expected | None], ...] = ()
    waiting: Mapping[str, Placed] = field(default_factory=dict)

    @property
    def homeless(self) -> tuple[Tenant, ...]:
        """Those whose successors would find no place, or of whom that is not known."""
        return tuple(each for each in self.tenants if each.owned and each.placed is None)

    @property
    def lost(self) -> tuple[Tenant, ...]:
        """Those whom no controller makes anew."""
        return tuple(each for each in self.tenants if not each.owned)


def drain_of(live: Live, node: str, scheduler: ModelScheduler) -> Drainage | None:
    """What draining the node means; None for a node that is not managed, or was not seen."""
    snapshot = live.cluster.snapshot()
    here = snapshot.node(node)
    if here is None:
        return None
    holders = [each for each in around_of(live, ()).occupants if each.node == node]
    gone = [each.key for each in holders]
    with snapshot.without(gone):
        nodes = [as_tried(snapshot, each) for each in snapshot.nodes]
    nodes = [replace(each, unschedulable=True) if each.name == node else each for each in nodes]
    trial = Trial(nodes, tuple(live.cluster.policy_table.values()), around_of(live, gone), scheduler)
    demands = {each.key: found for each in holders if (found := _successor(live, each)) is not None}
    others = {demand.uid: demand for demand in waiting_in(live)}
    expected = trial.run([*demands.values(), *others.values()])
    tenants = sorted((one for each in holders for one in _tenants(live, each, demands, expected)), key=_order)
    ours = {each.pod.uid for each in tenants}
    leave = [each for each in tenants if not each.pod.deleting]
    kept = Budgets(live.budgets, live.cluster.pod_table).kept([each.pod for each in leave])
    return Drainage(
        node=node,
        cordoned=here.unschedulable,
        tenants=tuple(replace(each, kept=each.pod.uid in kept) for each in leave),
        ending=tuple(each for each in tenants if each.pod.deleting),
        foreign=sum(_is_foreign(one) for gpu in here.gpus for one in gpu.partitions),
        others=len(live.cluster.pod_table.on_node(node) - ours),
        changes=tuple(trial.changes),
        moved=trial.moved,
        leaving=tuple((each, after_of(each, expected)) for each in trial.leaving),
        waiting={others[uid].key: placed for uid in others if (placed := expected[uid].placed) is not None},
    )


def _is_foreign(partition: Partition) -> bool:
    return partition.holder is not None and partition.holder.kind == "foreign"


def _successor(live: Live, occupant: Occupant) -> Demand | None:
    claim = live.cluster.claim_table.get(occupant.key)
    if claim is None or claim.spec.share_group is not None or occupant.leaving:
        return None
    return successor_of(live, occupant)


def _tenants(
    live: Live, occupant: Occupant, demands: Mapping[str, Demand], expected: Mapping[str, Expected]
) -> Iterator[Tenant]:
    claim = live.cluster.claim_table.get(occupant.key)
    if claim is None:
        return
    demand = demands.get(occupant.key)
    for pod in _pods(live, occupant.key, claim):
        if not pod.terminal:
            yield Tenant(
                pod=pod,
                claim=occupant.key,
                model=claim.spec.model.id if claim.spec.model is not None else "",
                bytes=occupant.bytes,
                group=claim.spec.share_group or "",
                expected=expected.get(demand.uid) if demand is not None else None,
            )


def _pods(live: Live, key: str, claim: GPUPartitionClaim) -> Sequence[PodView]:
    """The claim's pod; of a share group's claim all its members."""
    table = live.cluster.pod_table
    if claim.spec.share_group is None:
        found = table.of_claim(claim)
        return [found] if found is not None else []
    stored = live.cluster.pods.store.by_index("claim", key)
    views = (table.view(f"{each.metadata.namespace}/{each.metadata.name}") for each in stored)
    return [view for view in views if view is not None and view.node is not None]


def _order(tenant: Tenant) -> tuple[int, bool, float, str]:
    """Lowest priority first; of one priority those that do not serve, then the youngest, then by name."""
    return tenant.pod.priority, tenant.pod.ready, -tenant.pod.created_seconds, tenant.name
