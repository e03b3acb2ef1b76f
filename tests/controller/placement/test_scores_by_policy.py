"""The scorers of packing as they choose in the operator, and that simulations choose by the very same."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.placement.decision import Decision, Placed
from controller.placement.demand import Demand, Resources
from controller.placement.expectation import Known
from controller.placement.packing.host import Ask
from controller.placement.packing.scorers.expected_loss import ExpectedLoss
from controller.placement.packing.scorers.fragmentation import Fragmentation
from controller.placement.packing.scorers.named import scorer_named
from controller.placement.packing.workload import Workload
from controller.placement.scheduler import ModelScheduler
from controller.placement.simulation import Experiment, Outcome
from controller.placement.snapshot import Node, Snapshot
from controller.placement.trace import TraceNode
from tests.builders.demand import constrained, demand
from tests.builders.gpu import OURS, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view

FOUR_CORES = constrained(Resources(4_000, 0, 1))


def _snapshot(scorer: str = "default") -> Snapshot:
    """Two idle GPUs alike but for the CPU beside them: the first has just what the usual claims need."""
    policy = policy_view(scorer=scorer)
    return Snapshot(
        [
            node("a-just-enough", allocatable=Resources(32_000, 10**15, 110), policy=policy),
            node("b-plenty", allocatable=Resources(120_000, 10**15, 110), policy=policy),
        ]
    )


def _node(decision: Decision) -> str:
    assert isinstance(decision, Placed)
    return decision.node.name


def _after_usual_claims(snapshot: Snapshot) -> str:
    scheduler = ModelScheduler.by_policy()
    for number in range(30):
        scheduler.schedule(snapshot, demand(f"usual-{number}", pod=FOUR_CORES))
    return _node(scheduler.schedule(snapshot, _hungry()))


def test_a_scheduler_that_begins_anew_decides_as_the_one_before() -> None:
    usual = [Known(f"u{number}", number, (4_000, 16 << 30, 1)) for number in range(30)]
    snapshot = _snapshot()
    assert _node(ModelScheduler.by_policy(lambda: reversed(usual)).schedule(snapshot, _hungry())) == "b-plenty"
    told = ModelScheduler.by_policy()
    told.expect(usual)
    assert _node(told.schedule(snapshot, _hungry())) == "b-plenty"


def _hungry() -> Demand:
    return demand("hungry", pod=constrained(Resources(16_000, 0, 1)))


def test_a_claim_that_needs_much_cpu_leaves_it_where_gpus_need_it() -> None:
    assert _after_usual_claims(_snapshot()) == "b-plenty"


def test_a_policy_may_ask_for_the_tightest_fit() -> None:
    assert _after_usual_claims(_snapshot("bestfit")) == "a-just-enough"


def test_before_enough_was_seen_fit_decides() -> None:
    assert _node(ModelScheduler.by_policy().schedule(_snapshot(), _hungry())) == "a-just-enough"


def test_fragmentation_decides_where_a_policy_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    preferring_little_cpu = lambda _self, before, _after, _ask: before.cpu_milli  # noqa: E731
    monkeypatch.setattr(Fragmentation, "cost", preferring_little_cpu)
    assert _after_usual_claims(_snapshot("fgd")) == "a-just-enough"
    monkeypatch.setattr(Fragmentation, "cost", lambda *_: 0)
    assert _after_usual_claims(_snapshot("default")) == "b-plenty"


def test_the_smallest_partition_that_fits_is_taken_whatever_is_expected() -> None:
    snapshot = Snapshot([node("a", gpu(0, "SPX/NPS1"), gpu(1, "CPX/NPS1"), policy=policy_view())])
    scheduler = ModelScheduler.by_policy()
    decisions = [scheduler.schedule(snapshot, demand(f"small-{number}", pod=FOUR_CORES)) for number in range(30)]
    assert {decision.partition.id.index for decision in decisions if isinstance(decision, Placed)} == {0}
    assert {str(decision.mode) for decision in decisions if isinstance(decision, Placed)} == {"CPX/NPS1"}


def test_a_part_of_a_large_gpu_is_compared_with_a_whole_small_one_by_its_bytes() -> None:
    half, whole = gpu(0, "DPX/NPS1", product="MI355X"), gpu(0, "SPX/NPS1", product="MI210")
    snapshot = Snapshot(
        [node("half-of-288-gib", half, policy=policy_view()), node("64-gib", whole, policy=policy_view())]
    )
    assert _after_usual_claims(snapshot) == "64-gib"


def _after_sizes(*nodes: Node) -> Decision:
    """Where a model of 33 GiB goes among those of 20, 33 and 45."""
    scheduler, snapshot = ModelScheduler.by_policy(), Snapshot(nodes)
    for number in range(30):
        scheduler.schedule(snapshot, demand(f"usual-{number}", (20, 33, 45)[number % 3]))
    return scheduler.schedule(snapshot, demand("asked", 33))


def test_a_tighter_part_of_a_larger_gpu_is_taken_however_empty_its_node() -> None:
    empty = node("empty", *(gpu(n, "CPX/NPS1", product="MI355X") for n in range(8)))
    full = node("full", gpu(0, "QPX/NPS1", holders=dict.fromkeys(range(3), OURS)))
    assert _node(_after_sizes(empty, full)) == "empty"


def test_of_equal_places_one_on_a_gpu_in_use_then_one_on_the_node_with_the_fewest_idle_gpus() -> None:
    idle = [gpu(n, "QPX/NPS1") for n in range(3)]
    in_use = gpu(3, "QPX/NPS1", holders={0: OURS})
    in_use_among_idle = _after_sizes(node("a-one-idle", *idle[:1]), node("b-in-use", *idle, in_use))
    assert isinstance(in_use_among_idle, Placed)
    assert (_node(in_use_among_idle), in_use_among_idle.devices[0].gpu.bdf) == ("b-in-use", in_use.bdf)
    assert _node(_after_sizes(node("a-three-idle", *idle), node("b-two-idle", *idle[:2]))) == "b-two-idle"


def _spoiled(afterwards: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: -10 * afterwards(*arguments)


def _simulated() -> Outcome:
    pods = [Ask(4_000, 1, 1, milli) for milli in (810, 470, 320, 190, 650)] + [Ask(30_000, 1, 1, 500), Ask(9_000)]
    nodes = [TraceNode(f"n{number}", 48_000 if number % 2 else 96_000, 10**6, 4, "G2") for number in range(20)]
    return Experiment(nodes, pods, scorer_named("default", Workload.counted(pods), {"G2": 80_000})).run(42)


def test_a_spoiled_scorer_changes_the_operators_decision_and_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    decided, simulated = _after_usual_claims(_snapshot()), _simulated()
    monkeypatch.setattr(ExpectedLoss, "afterwards", _spoiled(ExpectedLoss.afterwards))
    assert _after_usual_claims(_snapshot()) != decided
    assert _simulated() != simulated
