from dataclasses import replace

import pytest

from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand, Resources
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Gpu, Node, Snapshot
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, GIB, OURS, full, gpu
from tests.builders.node import node

MI210 = gpu(0, "SPX/NPS1", product="MI210")


def explained(wanted: Demand, *nodes: Node) -> Unplaced:
    decision = ModelScheduler().schedule(Snapshot(nodes), wanted)
    assert isinstance(decision, Unplaced), decision
    return decision


def with_memory(whole: Gpu, gib: int) -> Gpu:
    """The GPU with partitions of so many GiB."""
    return replace(whole, partitions=tuple(replace(one, bytes=gib * GIB) for one in whole.partitions))


def test_a_claim_goes_where_its_precision_is_served() -> None:
    snapshot = Snapshot([node("worker-0", MI210), node("worker-1", gpu(0, "SPX/NPS1"))])
    chosen = {}
    for precision in ("bf16", "fp8"):
        decision = ModelScheduler().schedule(snapshot, demand(gib=50, precision=precision))
        assert isinstance(decision, Placed)
        chosen[precision] = decision.gpu.product
    assert chosen == {"bf16": "MI210", "fp8": "MI300X"}


def names(demands: list[Demand]) -> list[str]:
    return [each.key.partition("/")[2] for each in demands]


def test_order_is_priority_then_age_then_key() -> None:
    late = demand("late", priority=5, created_seconds=2.0)
    early = demand("early", priority=5, created_seconds=1.0)
    twin = demand("dup", priority=5, created_seconds=1.0)
    high, low = demand("high", priority=9, created_seconds=9.0), demand("low", priority=-1)
    assert names(order([low, late, early, high, twin])) == ["high", "dup", "early", "late", "low"]


def test_of_one_family_the_newest_revision_takes_the_first_of_its_places() -> None:
    def of_chat(name: str, created: float, revision: int, priority: int = 0) -> Demand:
        return demand(name, family="uid-of-chat", created_seconds=created, revision=revision, priority=priority)

    old, new = [of_chat("old0", 0.0, 1), of_chat("old2", 2.0, 1)], of_chat("new", 4.0, 2)
    other, high = demand("other", created_seconds=1.0), of_chat("high", 9.0, 1, priority=1)
    assert names(order([*old, other, new, high])) == ["high", "new", "other", "old0", "old2"]


def test_a_cycle_serves_the_first_in_order_and_says_why_to_the_rest() -> None:
    host = node("worker-0", gpu(0, "DPX/NPS1"))
    demands = [demand(f"aim-{n}", 40, created_seconds=float(n), priority=10 if n == 3 else 0) for n in range(4)]
    decisions = ModelScheduler().cycle(Snapshot([host]), demands)
    outcome = [(each.key, isinstance(decision, Placed)) for each, decision in decisions]
    assert outcome == [
        ("team-a/aim-3", True),
        ("team-a/aim-0", True),
        ("team-a/aim-1", False),
        ("team-a/aim-2", False),
    ]


def test_a_cycle_counts_what_it_placed_against_the_nodes_cpu() -> None:
    host = node("worker-0", allocatable=Resources(1000, 1 << 40, 100))
    hungry = [demand(f"aim-{n}", pod=constrained(Resources(600, 0, 1))) for n in range(2)]
    kinds = [type(decision) for _, decision in ModelScheduler().cycle(Snapshot([host]), hungry)]
    assert kinds == [Placed, Unplaced]


def test_equal_inputs_give_equal_outcomes() -> None:
    demands = [demand(f"aim-{n}", 20 + n) for n in range(6)]

    def outcome(given: list[Demand]) -> list[tuple[str, Decision]]:
        snapshot = Snapshot([node("b"), node("a", gpu(0, "QPX/NPS1"))])
        return [(each.key, decision) for each, decision in ModelScheduler().cycle(snapshot, given)]

    assert outcome(demands) == outcome(demands[::-1])


def test_schedule_changes_nothing() -> None:
    snapshot = Snapshot([node()])
    first = ModelScheduler().schedule(snapshot, demand())
    assert isinstance(first, Placed)
    assert snapshot.holder(first.node, first.partition) is None
    assert ModelScheduler().schedule(snapshot, demand()) == first


@pytest.mark.parametrize(
    ("wanted", "nodes", "want_reason", "want_words"),
    [
        pytest.param(demand(), [], "NoManagedNodes", "aim.amd.com/managed=true", id="no nodes at all"),
        pytest.param(
            demand(modes=["TPX/NPS1"]), [node()], "ModeUnavailable", "choose one of CPX/NPS1", id="a mode nobody has"
        ),
        pytest.param(demand(gib=500), [node()], "TooLargeForAnyGPU", "has 192.0 GiB", id="larger than any GPU"),
        pytest.param(
            demand(precision="fp8", modes=["CPX/NPS1"]),
            [node("worker-0", MI210)],
            "PrecisionUnsupported",
            "no GPU here (MI210) serves fp8",
            id="no GPU serves the precision, whatever else is asked",
        ),
        pytest.param(
            demand(precision="fp8", modes=["SPX/NPS1"]),
            [node("worker-0", MI210), node("worker-1", gpu(allowed=["CPX/NPS4"]))],
            "ModeUnavailable",
            "choose one of CPX/NPS4",
            id="the mode is that of a GPU that does not serve the precision",
        ),
        pytest.param(
            demand(gib=60, precision="fp8"),
            [node("worker-0", MI210), node("worker-1", with_memory(gpu(), 4))],
            "TooLargeForAnyGPU",
            "the largest GPU here that serves fp8 has 32.0 GiB",
            id="only a GPU that does not serve the precision is large enough",
        ),
        pytest.param(
            demand(precision="fp8"),
            [node("worker-0", MI210), node("worker-1", full())],
            "NoFreePartition",
            "1 PrecisionUnsupported (e.g. worker-0 0000:01:00.0 does not serve fp8",
            id="the free GPU does not serve the precision",
        ),
        pytest.param(demand(count=33), [node()], "CountUnsupported", "takes 32", id="more than a claim takes"),
        pytest.param(demand(), [node("worker-0", full())], "NoFreePartition", "0 of 8 partitions", id="all are held"),
        pytest.param(demand(gib=30), [node()], "NoPartitionFits", "needed 30.0 GiB", id="all are too small"),
        pytest.param(demand(), [node(ready=False)], "NoPartitionFits", "8 NodeNotReady", id="a node is down"),
    ],
)
def test_reasons(wanted: Demand, nodes: list[Node], want_reason: str, want_words: str) -> None:
    unplaced = explained(wanted, *nodes)
    assert unplaced.reason == want_reason
    assert want_words in unplaced.message


def test_an_explanation_counts_each_reason_once_and_adds_up() -> None:
    unplaced = explained(
        demand(gib=30),
        node("worker-0", gpu(0), full(1, "QPX/NPS1"), full(2, "DPX/NPS1", FOREIGN)),
        node("worker-1", gpu(0, "QPX/NPS1", unhealthy=[0, 1]), unschedulable=True),
        node("worker-2", gpu(0, "QPX/NPS1", unhealthy=range(4))),
    )
    counts = {row.reason: row.count for row in unplaced.refusals}
    assert counts == {"PartitionTooSmall": 8, "PartitionHeld": 6, "NodeCordoned": 4, "PartitionUnhealthy": 4}
    assert [row.reason for row in unplaced.refusals] == [
        "PartitionTooSmall",
        "PartitionHeld",
        "NodeCordoned",
        "PartitionUnhealthy",
    ]
    assert unplaced.message.startswith("0 of 22 partitions take 30.0 GiB for team-a/aim-a: 8 PartitionTooSmall (e.g. ")


def test_explanations_never_name_other_tenants() -> None:
    unplaced = explained(demand(), node("worker-0", full(0), full(1, holder=FOREIGN)))
    for holder in (OURS, FOREIGN):
        assert holder.name not in unplaced.message
        assert not any(holder.name in row.example for row in unplaced.refusals)


def test_what_was_placed_before_in_the_cycle_is_not_named_either() -> None:
    host = node("worker-0", gpu(0, "SPX/NPS1"))
    first, second = demand("team-b/aim-x", 100), demand("team-a/aim-y", 100, created_seconds=1.0)
    decisions = ModelScheduler().cycle(Snapshot([host]), [first, second])
    unplaced = decisions[1][1]
    assert isinstance(unplaced, Unplaced)
    assert "team-b" not in unplaced.message


def test_another_scorer_is_obeyed() -> None:
    def last(_s: Snapshot, _d: Demand, host: Node, *_: object) -> tuple[int, int, int, str, str, int]:
        return (0, -int(host.name[-1]), 0, "", "", 0)

    decision = ModelScheduler(last).schedule(Snapshot([node("worker-0"), node("worker-1")]), demand())
    assert isinstance(decision, Placed)
    assert decision.node.name == "worker-1"
