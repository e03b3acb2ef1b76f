"""One change for many: the modes of all nodes that may change, chosen for all claims that wait at once.

`propose` answers for one claim alone, so ten claims of small models would ask for ten changes. Here they are put into
one batch (``placement/layouts``), together with what plans under way will offer: who gets a place there asks for no
change.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import UnknownProduct, product_named
from controller.placement.demand import Demand, Requirement, Resources
from controller.placement.filters import refuse_node
from controller.placement.layouts.choice import DEFAULT_EFFORT, choosing
from controller.placement.layouts.layout import Layout, NodeChange, Seat
from controller.placement.layouts.problem import Batch, Choice, LayoutClaim, LayoutGpu, LayoutNode
from controller.placement.layouts.search import Effort
from controller.placement.precision_support import obstacle_on
from controller.placement.ranking import alike
from controller.placement.scheduler import order
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.placement.steps import Steps, finished
from controller.repartition.attempts import Change
from controller.repartition.candidates import MIXED, SINGLE, permitted, planned_bytes
from controller.repartition.disruption_budget import Refused, Usage, refuse_change
from controller.repartition.planner import Proposal

#: Waiting claims and nodes looked at together, the first ones.
MOST_CLAIMS = 200
MOST_NODES = 128
#: Of one choice: a second or so, which the operator takes in slices.
EFFORT: Final = DEFAULT_EFFORT
#: For so few claims a part of that does, and it must do where nobody has a turn meanwhile.
FEW_CLAIMS: Final = 16
FEW: Final = Effort(rounds=300)
#: Layouts that are remembered.
MOST_KEPT: Final = 16
_NOWHERE: Final = Mode.parse("TPX/NPS2")
"""A mode that no product has."""
_NO_SIZE: Final = Requirement(0)


@dataclass(frozen=True, slots=True)
class Expected:
    """A plan that is made already: the modes, by bdf, that GPUs of its node will have. `asks`: a person decides."""

    plan: str
    modes: Mapping[str, Mode]
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Joint:
    """What the joint choice comes to: by the key of a claim the change that would help it, or the plan that will.

    A change that helps several stands under each of them, and is made for the one that asks first. `unserved` could be
    helped by a change as well, but idle GPUs are to change for others.
    """

    proposals: Mapping[str, Proposal]
    served: Mapping[str, str]
    unserved: frozenset[str]


NOTHING = Joint({}, {}, frozenset())


@dataclass(frozen=True, slots=True)
class Around:
    """What bears on it: `expected` by node; `tried` tells whether a change is not to be made for a claim now.

    `patient`: how many nodes may change at one time is not asked, as the changes may come later. `hurried`: nothing
    else is done meanwhile, so less effort is made.
    """

    usage: Usage
    expected: Mapping[str, Expected]
    admin_held: frozenset[tuple[str, str]]
    tried: Callable[[Demand, Change], bool]
    patient: bool = False
    hurried: bool = False

    def refused(self, node: Node) -> Refused | None:
        """Why the node may not change."""
        active = self.usage.active_nodes
        if self.patient:
            active = [name for name in active if name == node.name]
        return refuse_change(node, None, replace(self.usage, active_nodes=active))


@dataclass(frozen=True, slots=True)
class Bound:
    """Of a claim that has a place, and waits for a partition of no more than `most` bytes.

    `ahead`: by how many ranks, less than RANKS, it goes before those of its priority who have no place.
    """

    most: int
    ahead: int


#: Of claims of one priority.
RANKS: Final = 3
UNBOUND: Final[Mapping[str, Bound]] = MappingProxyType({})
"""Everybody takes what there is."""


def propose_jointly(
    snapshot: Snapshot, demands: Sequence[Demand], around: Around, bounds: Mapping[str, Bound] = UNBOUND
) -> Joint:
    """The changes that give most of these demands a place, and who needs none because a plan under way serves it.

    `bounds`, by key: claims that have a place as things are. They go to nodes alone where idle GPUs are divided first.
    """
    return finished(proposing_jointly(snapshot, demands, around, bounds))


def proposing_jointly(
    snapshot: Snapshot, demands: Sequence[Demand], around: Around, bounds: Mapping[str, Bound] = UNBOUND
) -> Steps[Joint]:
    """The same in steps."""
    first = order(demands)[:MOST_CLAIMS]
    nodes = yield from _nodes(snapshot, around)
    if not nodes or not first:
        return NOTHING
    suiting = _Nodes(snapshot, nodes)
    dividing = frozenset(name for name in nodes if bounds and _divides(snapshot, name, around))
    claims = []
    for each in first:
        claims.append(_bounded(_claim(each, nodes, suiting), bounds.get(each.key), dividing))
        yield
    batch = Batch(tuple(nodes.values()), tuple(claims))
    layout = yield from _LAYOUTS.choosing(batch, FEW if around.hurried or len(first) <= FEW_CLAIMS else EFFORT)
    seats = {seat.claim: seat for seat in layout.seats}
    served = {
        key: around.expected[seat.node].plan
        for key, seat in seats.items()
        if seat.node in around.expected and around.expected[seat.node].modes.keys() & dict(seat.partitions).keys()
    }
    proposals = dict(_proposals(snapshot, first, layout, seats, around))
    outdone = (claim.key for claim in batch.claims if claim.key in layout.unplaced and _could_change_for(claim, batch))
    return Joint(proposals, served, frozenset(outdone if proposals else ()))


def _divides(snapshot: Snapshot, name: str, around: Around) -> bool:
    node, expected = snapshot.node(name), around.expected.get(name)
    return node is not None and divides(node) and not (expected is not None and expected.asks)


def divides(node: Node) -> bool:
    """Whether idle GPUs of the node are divided for claims that would take far too much of them."""
    policy = node.policy
    return policy is not None and policy.repartition and policy.approval == "Auto" and policy.divides


def _bounded(claim: LayoutClaim, bound: Bound | None, dividing: frozenset[str]) -> LayoutClaim:
    if bound is None:
        return replace(claim, priority=RANKS * claim.priority)
    nodes = dividing if claim.nodes is None else claim.nodes & dividing
    return replace(claim, priority=RANKS * claim.priority + bound.ahead, most=bound.most, nodes=nodes)


def _could_change_for(claim: LayoutClaim, batch: Batch) -> bool:
    """Whether an idle GPU could be put into a mode that suits the claim, were it not for others."""
    return any(
        claim.size <= each.size <= (claim.most or each.size) and (not claim.modes or each.mode in claim.modes)
        for node in batch.nodes
        if claim.nodes is None or node.name in claim.nodes
        for gpu in node.gpus
        for each in gpu.others
    )


def may_help(snapshot: Snapshot, around: Around) -> bool:
    """Whether there is a node that may change now, or is about to. Asked first, because it costs little."""
    return any(node.name in around.expected or around.refused(node) is None for node in snapshot.nodes)


class _Layouts:
    """Kept, because claims that wait are asked about again and again while nothing changes. Mutable, a cache."""

    def __init__(self) -> None:
        self._known: dict[Batch, Layout] = {}

    def choosing(self, batch: Batch, effort: Effort) -> Steps[Layout]:
        """The layout for a batch, if it is not known yet by that effort."""
        layout = self._known.pop(batch, None)
        if layout is None:
            layout = yield from choosing(batch, effort=effort)
        self._known[batch] = layout
        if len(self._known) > MOST_KEPT:
            del self._known[next(iter(self._known))]
        return layout


_LAYOUTS: Final = _Layouts()


def _nodes(snapshot: Snapshot, around: Around) -> Steps[dict[str, LayoutNode]]:
    found: dict[str, LayoutNode] = {}
    for node in snapshot.nodes:
        expected = around.expected.get(node.name)
        if len(found) == MOST_NODES:
            break
        if not any(node.unlocated.values()) and (expected is not None or around.refused(node) is None):
            found[node.name] = _node(snapshot, node, around, expected)
        yield
    return found


def _node(snapshot: Snapshot, node: Node, around: Around, expected: Expected | None) -> LayoutNode:
    modes = expected.modes if expected is not None else {}
    gpus = tuple(_gpu(snapshot, node, gpu, around, modes) for gpu in node.gpus)
    return LayoutNode(
        name=node.name,
        gpus=gpus,
        left=node.allocatable.minus(snapshot.used(node)),
        reloads=all(gpu.others for gpu in gpus),
        alike=node.plugin and node.naming == SINGLE,
        rests=expected is not None,
    )


def _gpu(snapshot: Snapshot, node: Node, gpu: Gpu, around: Around, expected: Mapping[str, Mode]) -> LayoutGpu:
    if gpu.bdf in expected:
        return LayoutGpu(gpu.bdf, _planned(gpu.product, expected[gpu.bdf]))
    usable = [
        each
        for each in gpu.partitions
        if each.healthy and not each.quarantined and each.reservation is None and snapshot.holder(node, each) is None
    ]
    allowed = node.policy is None or not node.policy.modes or gpu.mode in node.policy.modes
    free = len(usable) if allowed and gpu.plan is None else 0
    now = Choice(gpu.mode, min((each.bytes for each in gpu.partitions), default=0), free)
    watched = any((node.pool, each.device) in around.admin_held for each in gpu.partitions)
    if watched or gpu.plan is not None or not usable or len(usable) < len(gpu.partitions):
        return LayoutGpu(gpu.bdf, now)
    others = (_planned(gpu.product, each) for each in gpu.allowed if each != gpu.mode and permitted(node, gpu, each))
    return LayoutGpu(gpu.bdf, now, tuple(each for each in others if each.free))


@lru_cache(maxsize=1024)
def _planned(product: str, mode: Mode) -> Choice:
    """What a GPU will offer in a mode that it is not in, from the table; nothing where that has no figures."""
    size = planned_bytes(product, mode)
    try:
        count = product_named(product).partition_count(mode.compute) if size else 0
    except (UnknownProduct, ModeError):
        count = 0
    return Choice(mode, size, count)


class _Nodes:
    """The nodes that demands may go to, judged once for all that differ in nothing that a node sees of them."""

    def __init__(self, snapshot: Snapshot, nodes: Mapping[str, LayoutNode]) -> None:
        self._snapshot = snapshot
        self._nodes = nodes
        self._known: dict[Demand, frozenset[str]] = {}

    def of(self, demand: Demand) -> frozenset[str]:
        """Names of the nodes for a demand. Room on them is the layout's to count."""
        pod = replace(demand.pod, resources=Resources())
        served = replace(_NO_SIZE, precision=demand.requirement.precision)
        asked = replace(alike(demand), requirement=served, pod=pod)
        if asked not in self._known:
            self._known[asked] = frozenset(name for name in self._nodes if self._may_go(asked, name))
        return self._known[asked]

    def _may_go(self, demand: Demand, name: str) -> bool:
        """A node's own change under way is no obstacle to what comes after it."""
        node = self._snapshot.node(name)
        if node is None or not _serves(node, demand):
            return False
        refused = refuse_node(self._snapshot, demand, node)
        return refused is None or (self._nodes[name].rests and refused[0] == "Repartitioning")


def _serves(node: Node, demand: Demand) -> bool:
    """Whether the engine runs on every GPU there in each precision asked for: a layout tells no GPU from another."""
    products = {gpu.product for gpu in node.gpus}
    return not any(obstacle_on(product, precision) for product in products for precision in demand.precisions)


def _claim(demand: Demand, nodes: Mapping[str, LayoutNode], suiting: _Nodes) -> LayoutClaim:
    return LayoutClaim(
        key=demand.key,
        size=demand.requirement.bytes,
        count=demand.requirement.count,
        modes=_modes(demand, nodes),
        priority=demand.priority,
        resources=demand.pod.resources,
        nodes=suiting.of(demand),
    )


def _modes(demand: Demand, nodes: Mapping[str, LayoutNode]) -> frozenset[Mode]:
    """The modes that help: those wished for, and of the device plugin's the one that the pod's resource names.

    Empty for any. A wish that nothing fulfils stays one mode that fits nowhere, rather than become none.
    """
    if demand.naming != MIXED:
        return demand.requirement.modes
    known = {each.mode for node in nodes.values() for gpu in node.gpus for each in (gpu.now, *gpu.others)}
    named = {mode for mode in known if mode.profile == demand.resource.partition("/")[2]}
    wished = {mode for mode in named if not demand.requirement.modes or mode in demand.requirement.modes}
    return frozenset(wished) or demand.requirement.modes or frozenset([_NOWHERE])


def _proposals(
    snapshot: Snapshot, demands: Sequence[Demand], layout: Layout, seats: Mapping[str, Seat], around: Around
) -> Iterator[tuple[str, Proposal]]:
    for change in layout.changes:
        node, modes = snapshot.node(change.node), dict(change.after)
        if node is None:
            raise RuntimeError(f"a layout changes node {change.node}, which is not in the snapshot")
        helped = [
            each
            for each in demands
            if (seat := seats.get(each.key)) is not None
            and seat.node == change.node
            and modes.keys() & dict(seat.partitions).keys()
        ]
        tried = any(around.tried(each, Change(change.node, change.after)) for each in helped)
        for each in () if tried else helped:
            yield each.key, _proposal(node, change, seats[each.key], len(helped) - 1)


def _proposal(node: Node, change: NodeChange, seat: Seat, more: int) -> Proposal:
    modes = dict(change.after)
    target = next(bdf for bdf, _ in seat.partitions if bdf in modes)
    return Proposal(
        node=node.name,
        policy=node.policy.name if node.policy is not None else "",
        automatic=node.policy is not None and node.policy.approval == "Auto",
        before=tuple((gpu.bdf, gpu.mode) for gpu in node.gpus if gpu.bdf in modes),
        after=change.after,
        target=target,
        mode=modes[target],
        more=more,
    )
