"""One scheduler decides, on a cluster's snapshot as on a simulation's table: the same places for the same nodes."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand, Resources
from controller.placement.expectation import ENOUGH, FEW, Known
from controller.placement.hosts import Hosts
from controller.placement.packing.columns import NEVER
from controller.placement.packing.host import WHOLE, Ask, Host, partition_left
from controller.placement.packing.scorers.named import partition_scorer_named
from controller.placement.packing.table import ScoreTable
from controller.placement.packing.workload import Workload
from controller.placement.scheduler import ModelScheduler
from controller.placement.simulation import Experiment
from controller.placement.snapshot import Node, Snapshot
from controller.placement.trace import TraceNode
from tests.builders.demand import constrained, demand
from tests.builders.gpu import gpu
from tests.builders.node import node
from tests.builders.policy import policy_view

MODES = ("SPX/NPS1", "DPX/NPS1", "QPX/NPS1", "CPX/NPS1")
WHOLE_BYTES = gpu(0, "SPX/NPS1").partitions[0].bytes
#: Millionths of a GPU in one of the operator's steps of bytes: it takes costs for equal that differ by less.
#: Those of FGD are whole thousandths of a GPU.
STEP = {"default": 1, "fgd": 0}
#: (CPU in thousandths of a core, GiB) that claims ask for.
KINDS = ((4_000, 20), (16_000, 20), (8_000, 40), (8_000, 90), (2_000, 96), (24_000, 150))


class _Both:
    """A cluster and the same as hosts. No node has two GPUs of one mode, so that its pieces tell which GPU is taken."""

    def __init__(self, scorer: str, chance: Random) -> None:
        nodes = [_node(f"n{number}", scorer, chance) for number in range(6)]
        claims = [chance.choice(KINDS) for _ in range(ENOUGH)] * (FEW // ENOUGH)  # the first are the mix of all
        known = [Known(f"u{n}", n, (cpu, gib << 30, 1)) for n, (cpu, gib) in enumerate(claims)]
        self.snapshot, self.scheduler = Snapshot(nodes), ModelScheduler.by_policy(lambda: known)
        told = partition_scorer_named(scorer, Workload.counted(map(_ask, claims)))
        self.table = ScoreTable([self.seen(each) for each in nodes], list(map(_ask, KINDS)), told, partition_left)

    def seen(self, one: Node) -> Host:
        """The node as the operator's scorers see it."""
        return Hosts().of(self.snapshot, one).host

    def decide(self, kind: int, number: int) -> tuple[int, int | None, int | None]:
        """What the best place costs, and the numbers of the nodes that the operator and the table take."""
        cpu, gib = KINDS[kind]
        asked = demand(f"claim-{number}", gib, pod=constrained(Resources(cpu, 0, 1)))
        decision, best = self.scheduler.schedule(self.snapshot, asked), self.table.best(kind)
        lowest = NEVER if best is None else self.table.rank(kind, best)
        if not isinstance(decision, Placed):
            return lowest, None, best
        return lowest, self._take(decision, asked, kind), best

    def _take(self, decision: Placed, asked: Demand, kind: int) -> int:
        taken = int(decision.node.name[1:])
        self.snapshot.hold(decision.node, decision.partitions, asked.key, asked.pod.resources)
        after = self.table.place(kind, taken)
        left = self.seen(decision.node)
        assert (after.cpu_milli, tuple(filter(None, after.pieces))) == (left.cpu_milli, left.pieces)
        return taken


def _node(name: str, scorer: str, chance: Random) -> Node:
    modes = chance.sample(MODES, chance.randint(1, 4))
    cards = [gpu(number, mode) for number, mode in enumerate(modes)]
    cpu = chance.choice((24_000, 48_000, 96_000))
    return node(name, *cards, allocatable=Resources(cpu, 10**15, 110), policy=policy_view(scorer=scorer))


def _ask(kind: tuple[int, int]) -> Ask:
    return Ask(kind[0], 0, 1, -(-(kind[1] << 30) * WHOLE // WHOLE_BYTES))


@pytest.mark.parametrize("scorer", ["default", "fgd"])
def test_the_operator_takes_what_a_simulation_takes(scorer: str) -> None:
    taken: list[tuple[int | None, int | None]] = []
    alone = 0
    for seed in range(12):
        chance = Random(seed)
        both = _Both(scorer, chance)
        for number in range(40):
            kind = chance.randrange(len(KINDS))
            before = [both.table.rank(kind, host) for host in range(6)]
            lowest, mine, theirs = both.decide(kind, number)
            assert 0 <= (NEVER if mine is None else before[mine]) - lowest <= STEP[scorer]
            taken.append((mine, theirs))
            if (
                sum(each - lowest <= STEP[scorer] for each in before) == 1
            ):  # of equal nodes each takes one by its own rule
                alone += 1
                assert mine == theirs
    placed = [pair for pair in taken if pair[0] is not None]
    assert 100 < len(placed) < len(taken)
    assert alone > 50


def _simulated() -> int:
    nodes = [TraceNode(f"n{number}", 48_000, 10**6, 4, "G2") for number in range(3)]
    return Experiment.named("default", nodes, [Ask(4_000, 1, 1, 500), Ask(9_000, 1, 1, 810)]).run(42).placed


def test_who_spoils_the_schedulers_choice_spoils_both(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, asked = Snapshot([node("a"), node("b")]), demand("x")
    assert isinstance(ModelScheduler().schedule(snapshot, asked), Placed)
    assert _simulated() > 0
    chosen: list[Any] = []
    monkeypatch.setattr(ModelScheduler, "choose", lambda _, search, one: chosen.extend(search.candidates(one)))
    assert isinstance(ModelScheduler().schedule(snapshot, asked), Unplaced)
    assert _simulated() == 0
    assert len(chosen) > 2


class _Three:
    def candidates(self, asked: Sequence[int]) -> list["_Ordered"]:
        return [_Ordered((cost,)) for cost in asked]


class _Ordered:
    def __init__(self, order: tuple[int, ...]) -> None:
        self.order = order


def test_of_what_a_search_finds_the_lowest_is_taken() -> None:
    found = ModelScheduler().choose(_Three(), [5, 2, 9])
    assert found is not None
    assert found.order == (2,)
    assert ModelScheduler().choose(_Three(), []) is None
