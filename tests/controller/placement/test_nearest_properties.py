"""Every change that is offered, once made, places the claim; and where any single change would, one is offered."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

from hypothesis import assume, given, settings

from controller.gpu.mode import Mode
from controller.placement.changes.change import RANKS, Kind
from controller.placement.changes.evictions import MOST_PODS
from controller.placement.changes.modes import changed_node
from controller.placement.decision import Placed
from controller.placement.demand import Demand, Toleration
from controller.placement.filters import tolerates
from controller.placement.nearest import nearest
from controller.placement.quota import Quota
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Holder, Node, PolicyView, Snapshot
from tests.builders.waiting import Case, cases, claimed_by

Tried = tuple[tuple[int, tuple[int, ...]], Node | None, Demand]
"""A change by brute force: its cost, the node as it would be (None: no node changes), the demand as it would be."""

MOST_BRUTE = 3
"""Pods that brute force evicts together: what it finds beyond is not asked for."""


def placed(nodes: tuple[Node, ...], demand: Demand) -> bool:
    return isinstance(ModelScheduler().schedule(Snapshot(nodes), demand), Placed)


@settings(deadline=None, max_examples=100)
@given(cases())
def test_each_change_that_is_offered_really_places_the_claim(case: Case) -> None:
    snapshot = Snapshot(case.nodes)
    assume(not placed(case.nodes, case.demand))
    for offer in nearest(snapshot, case.demand, case.around):
        made, asked = offer.change.made(snapshot, case.demand)
        assert isinstance(ModelScheduler().schedule(made, asked), Placed), offer.change.text
        assert placed(case.nodes, case.demand) is False, "the snapshot was left as it was"


@settings(deadline=None, max_examples=100)
@given(cases())
def test_where_any_single_change_places_the_claim_one_is_offered_and_none_is_cheaper(case: Case) -> None:
    assume(not placed(case.nodes, case.demand))
    best = min((cost for cost, node, demand in every_change(case) if _helps(case, node, demand)), default=None)
    offers = nearest(Snapshot(case.nodes), case.demand, case.around)
    assert bool(offers) or best is None, "a change helps and none is offered"
    if offers and best is not None:
        assert (offers[0].cost.rank, offers[0].cost.counted) <= best


def _helps(case: Case, changed: Node | None, demand: Demand) -> bool:
    nodes = tuple(changed if changed is not None and node.name == changed.name else node for node in case.nodes)
    return placed(nodes, demand)


def every_change(case: Case) -> Iterator[Tried]:
    """All single changes of the kinds, without asking whether anything speaks for them."""
    demand = case.demand
    for way in case.around.smaller(demand):
        yield (
            (RANKS[way.kind], (way.lost, {Kind.CONCURRENCY: 0, Kind.PRECISION: 2, Kind.COUNT: 3}[way.kind])),
            None,
            replace(demand, requirement=way.requirement),
        )
    if demand.requirement.modes:
        yield (3, (1,)), None, replace(demand, requirement=replace(demand.requirement, modes=frozenset()))
    if demand.pod.node_selector:
        bare = replace(demand.pod, node_selector=())
        yield (3, (len(demand.pod.node_selector),)), None, replace(demand, pod=bare)
    for node in case.nodes:
        yield from _of_node(case, node)


def _of_node(case: Case, node: Node) -> Iterator[Tried]:
    demand, policy = case.demand, node.policy
    yield (4, ()), replace(node, paused=False), demand
    yield (4, ()), replace(node, unschedulable=False), demand
    yield (5, ()), replace(node, fresh=True), demand
    yield (5, ()), replace(node, ready=True), demand
    if policy is not None:
        yield (4, ()), replace(node, policy=replace(policy, paused=False)), demand
        yield (9, (0,)), replace(node, policy=replace(policy, namespaces=None)), demand
        yield from _of_quota(case, node, policy)
        for mode in {gpu.mode for gpu in node.gpus} if policy.modes else ():
            yield (9, (1,)), replace(node, policy=replace(policy, modes=policy.modes | {mode})), demand
    yield from _of_taints(node, demand)
    yield from _of_gpus(node, demand)
    yield from _evictions(case, node)
    missing = demand.pod.resources.cpu_milli - (node.allocatable.cpu_milli - node.used.cpu_milli)
    slots = max(0, 1 - (node.allocatable.pods - node.used.pods))
    grown = replace(node.allocatable, cpu_milli=10**6, pods=1000)
    cpu = max(0, missing) if demand.pod.resources.cpu_milli else 0
    yield (10, (cpu, 0, slots)), replace(node, allocatable=grown), demand


def _of_quota(case: Case, node: Node, policy: PolicyView) -> Iterator[Tried]:
    """For each size of partition that the node has the max with which one more of it would be within."""
    most = policy.quota(case.demand.namespace).most
    if most is None:
        return
    used = sum(each.claimed.get("team-a", 0) for each in case.nodes if each.policy is not None)
    for gpu in node.gpus:
        more = used + gpu.partitions[0].bytes * case.demand.requirement.count
        if more > most:
            quotas = {"team-a": Quota(most=more)}
            yield (8, (more - most,)), replace(node, policy=replace(policy, quotas=quotas)), case.demand


def _of_taints(node: Node, demand: Demand) -> Iterator[Tried]:
    lasting = [taint for taint in node.taints if "kubernetes.io" not in taint.key]
    needed = [taint for taint in lasting if not any(tolerates(each, taint) for each in demand.pod.tolerations)]
    more = tuple(Toleration(taint.key, "Equal", taint.value, taint.effect) for taint in needed)
    tolerating = replace(demand.pod, tolerations=(*demand.pod.tolerations, *more))
    yield (3, (len(more),)), None, replace(demand, pod=tolerating)
    yield (5, ()), replace(node, taints=tuple(lasting)), demand


def _of_gpus(node: Node, demand: Demand) -> Iterator[Tried]:
    ended = replace(node, gpus=tuple(replace(gpu, plan=None) for gpu in node.gpus))
    yield (0, ()), ended, demand
    for gpu in node.gpus:
        for released in gpu.partitions:
            kept = tuple(replace(p, quarantined=p.quarantined and p.id != released.id) for p in gpu.partitions)
            changed = replace(gpu, partitions=kept)
            yield (5, ()), replace(node, gpus=tuple(changed if g is gpu else g for g in node.gpus)), demand
        for mode in gpu.allowed:
            yield from _mode_change(node, gpu.bdf, mode, demand)


def _mode_change(node: Node, bdf: str, mode: Mode, demand: Demand) -> Iterator[Tried]:
    target = next(gpu for gpu in node.gpus if gpu.bdf == bdf)
    after = {bdf: mode}
    if mode.memory is not target.mode.memory:
        for gpu in node.gpus:
            kept = Mode(gpu.mode.compute, mode.memory)
            after.setdefault(gpu.bdf, kept if kept in gpu.allowed else mode)
    free = all(
        gpu.plan is None and not any(p.holder or p.quarantined for p in gpu.partitions)
        for gpu in node.gpus
        if gpu.bdf in after
    )
    changed = changed_node(node, after) if free and all(p.healthy for p in target.partitions) else None
    if mode == target.mode or changed is None:
        return
    policy = node.policy
    allowed = policy is not None and policy.repartition and all(
        (not policy.modes or to in policy.modes or to == gpu.mode)
        and (not policy.validated_only or to in gpu.validated or to == gpu.mode)
        for gpu in node.gpus
        if (to := after.get(gpu.bdf))
    )  # fmt: skip
    later = policy is not None and policy.cooldown_left > 0
    size = next(gpu for gpu in changed.gpus if gpu.bdf == bdf).partitions[0].bytes
    rank = 9 if policy is None or not allowed else 1 if policy.approval == "Auto" else 2
    first = 2 if rank == 9 else int(later)
    yield (rank, (first, int(mode.memory is not target.mode.memory), len(after), size)), changed, demand


def _evictions(case: Case, node: Node) -> Iterator[Tried]:
    lower = {
        part.holder
        for gpu in node.gpus
        for part in gpu.partitions
        if part.holder and case.priorities.get(part.holder.name, 1000) < case.demand.priority
    }
    for size in range(1, min(MOST_BRUTE, MOST_PODS) + 1):
        for chosen in combinations(sorted(lower, key=lambda each: each.name), size):
            priorities = [case.priorities[each.name] for each in chosen]
            yield (7, (size, max(priorities), sum(priorities))), _left_by(node, chosen), case.demand


def _left_by(node: Node, gone: tuple[Holder, ...]) -> Node:
    used = node.used
    for holder in gone:
        used = used.minus(holder.resources)
    free: Callable[[Holder | None], Holder | None] = lambda holder: None if holder in gone else holder  # noqa: E731
    gpus = tuple(
        replace(gpu, partitions=tuple(replace(part, holder=free(part.holder)) for part in gpu.partitions))
        for gpu in node.gpus
    )
    held = [part for gpu in gpus for part in gpu.partitions if part.holder and part.holder.kind == "ours"]
    return replace(node, gpus=gpus, used=used, claimed=claimed_by(held))
