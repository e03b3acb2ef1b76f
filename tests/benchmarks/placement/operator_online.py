"""The operator's own decisions on a fleet whose claims come and go: its scheduler, its joint choice, dividing first.

Nothing is reimplemented but the fleet: hosts become nodes of a snapshot, claims become demands, and what
`controller.repartition.division` decides is carried out at once, for changes take no time here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.gpu.product import Product
from controller.placement.decision import Decision, Placed
from controller.placement.demand import Demand, PodConstraints, Requirement
from controller.placement.layouts.problem import LayoutClaim
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Holder, Node, Partition, PolicyView, Snapshot
from controller.repartition.disruption_budget import NOTHING_USED
from controller.repartition.division import Division, Judging, Unit, divide_first, sort_out
from controller.repartition.joint import Around
from controller.repartition.planner import Proposal
from tests.benchmarks.placement.layouts_fleet import Fleet, Host
from tests.benchmarks.placement.layouts_samples import NODE

_HELD = Holder("ours", "others/claim")
_POLICY = PolicyView("everywhere", validated_only=False, repartition=True, approval="Auto", max_parallel_nodes=1000)
_AROUND = Around(NOTHING_USED, {}, frozenset(), lambda _demand, _change: False)


class Operator:
    """A rule of the benchmark: places those who wait as the operator would. `divides`: as its policy says."""

    def __init__(self, *, divides: bool = True) -> None:
        self._scheduler = ModelScheduler.by_policy()
        self._policy = replace(_POLICY, divides=divides)

    def __call__(self, fleet: Fleet, waiting: Sequence[LayoutClaim]) -> set[str]:
        """Who gets a place."""
        claims = {claim.key: claim for claim in waiting}
        demands = [_demand(claim, turn) for turn, claim in enumerate(waiting)]
        placed: set[str] = set()
        while self._turn(fleet, [demand for demand in demands if demand.key not in placed], claims, placed):
            pass
        return placed

    def _turn(
        self, fleet: Fleet, asking: Sequence[Demand], claims: Mapping[str, LayoutClaim], placed: set[str]
    ) -> bool:
        """One after the other, as a cycle has it; whether modes were changed for one of them and all ask anew."""
        snapshot = Snapshot(_node(host, self._policy) for host in fleet.hosts)
        division = self._divide(snapshot, asking)
        for demand in asking:
            decision = None if demand.key in division.waits else self._scheduler.schedule(snapshot, demand)
            change = division.joint.proposals.get(demand.key)
            if isinstance(decision, Placed):
                snapshot.hold(decision.node, decision.partitions, demand.key, demand.pod.resources)
                _seat(fleet, claims[demand.key], decision)
                placed.add(demand.key)
            elif change is not None and _idle(fleet, change):
                _carry_out(fleet, change)
                return True
        return False

    def _divide(self, snapshot: Snapshot, asking: Sequence[Demand]) -> Division:
        def decide(unit: Unit) -> list[tuple[Demand, Decision]]:
            return [(unit[0], self._scheduler.schedule(snapshot, unit[0]))]

        return divide_first(snapshot, sort_out(snapshot, [(each,) for each in asking], Judging(decide)), _AROUND)


def _demand(claim: LayoutClaim, turn: int) -> Demand:
    requirement = Requirement(claim.size, claim.count, claim.modes)
    return Demand(
        claim.key, claim.key, "team", requirement, PodConstraints(claim.resources), created_seconds=float(turn)
    )


def _seat(fleet: Fleet, claim: LayoutClaim, placed: Placed) -> None:
    host = next(each for each in fleet.hosts if each.name == placed.node.name)
    many = Counter(int(device.gpu.bdf) for device in placed.devices)
    fleet.seat(claim, host, tuple(sorted(many.items())))


def _idle(fleet: Fleet, change: Proposal) -> bool:
    host = next(each for each in fleet.hosts if each.name == change.node)
    return all(host.idle(int(bdf)) for bdf, _ in change.after)


def _carry_out(fleet: Fleet, change: Proposal) -> None:
    host = next(each for each in fleet.hosts if each.name == change.node)
    host.change({int(bdf): mode for bdf, mode in change.after})


def _node(host: Host, policy: PolicyView) -> Node:
    return _seen(host.name, host.product, tuple(zip(host.modes, host.free, strict=True)), policy)


@lru_cache(maxsize=256)
def _seen(name: str, product: Product, gpus: tuple[tuple[Mode, int], ...], policy: PolicyView) -> Node:
    return Node(
        name=name,
        hostname=name,
        gpus=tuple(_gpu(product, str(number), mode, free) for number, (mode, free) in enumerate(gpus)),
        allocatable=NODE,
        labels={"kubernetes.io/hostname": name},
        policy=policy,
        pool=name,
    )


@lru_cache(maxsize=4096)
def _gpu(product: Product, bdf: str, mode: Mode, free: int) -> Gpu:
    size, count = product.partition_bytes(mode), product.partition_count(mode.compute)
    units = product.partition_compute_units(mode)
    partitions = tuple(
        Partition(PartitionId(bdf, n), f"{bdf}/{n}", n, size, units, holder=None if n >= count - free else _HELD)
        for n in range(count)
    )
    return Gpu(bdf, product.name, mode, partitions, product.allowed, product.validated)
