from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from controller.gpu.mode import Mode
from controller.placement.demand import Demand, Resources
from controller.placement.snapshot import Gpu, Node, Reservation, Snapshot, Taint
from controller.repartition.disruption_budget import Usage
from controller.repartition.joint import NOTHING, Around, Expected, Joint, propose_jointly
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, GIB, bdf, busy, gpu, with_partition
from tests.builders.node import node
from tests.builders.policy import policy_view

CPX = ("CPX/NPS1",)


def host(*gpus: Gpu, name: str = "worker-0", **policy: Any) -> Node:
    return node(name, *gpus, policy=policy_view(**policy))


def spx(count: int) -> tuple[Gpu, ...]:
    return tuple(gpu(number, "SPX/NPS1") for number in range(count))


def small(count: int, **fields: Any) -> list[Demand]:
    return [demand(f"small-{n}", 20, modes=CPX, created_seconds=float(n), **fields) for n in range(count)]


def jointly(
    demands: Sequence[Demand],
    *nodes: Node,
    active: Sequence[str] = (),
    expected: Mapping[str, Expected] | None = None,
    admin_held: frozenset[tuple[str, str]] = frozenset(),
    tried: bool = False,
) -> Joint:
    around = Around(Usage(active), expected or {}, admin_held, lambda _demand, _change: tried)
    return propose_jointly(Snapshot(nodes), demands, around)


def changes(joint: Joint) -> set[tuple[tuple[str, str], ...]]:
    return {tuple((gpu_, str(mode)) for gpu_, mode in each.after) for each in joint.proposals.values()}


def test_eight_small_models_ask_for_one_change() -> None:
    joint = jointly(small(8), host(*spx(4)))
    assert changes(joint) == {((bdf(0), "CPX/NPS1"),)}
    assert len(joint.proposals) == 8
    assert {each.more for each in joint.proposals.values()} == {7}
    assert joint.unserved == frozenset()


def test_a_proposal_tells_what_the_planner_s_tells() -> None:
    (found,) = jointly(small(1), host(*spx(1), name="w", approval="Manual")).proposals.values()
    assert (found.node, found.policy, found.automatic, found.more) == ("w", "shared", False, 0)
    assert (found.before, found.after) == (((bdf(0), Mode.parse("SPX/NPS1")),), ((bdf(0), Mode.parse("CPX/NPS1")),))
    assert (found.target, str(found.mode), found.victims) == (bdf(0), "CPX/NPS1", ())


def test_ranks_of_one_model_get_their_partitions_by_one_change() -> None:
    joint = jointly([demand("ranks", 90, count=4, modes=["DPX/NPS1"])], host(*spx(4)))
    assert changes(joint) == {((bdf(0), "DPX/NPS1"), (bdf(1), "DPX/NPS1"))}


@pytest.mark.parametrize(("precision", "helped"), [("bf16", False), ("fp8", True)])
def test_a_free_gpu_that_does_not_serve_the_precision_is_no_place(precision: str, helped: bool) -> None:
    older = host(gpu(0, "SPX/NPS1", product="MI210"), name="older")
    joint = jointly([demand("m", 60, precision=precision)], older, host(gpu(0, "CPX/NPS1")))
    assert {each.node for each in joint.proposals.values()} == ({"worker-0"} if helped else set())


def test_who_gets_a_place_by_a_plan_under_way_asks_for_nothing() -> None:
    expected = {"worker-0": Expected("plan-a", {bdf(0): Mode.parse("CPX/NPS1")})}
    joint = jointly(small(8), host(*spx(2)), host(*spx(2), name="worker-1"), expected=expected, active=["worker-0"])
    assert joint.served == {each.key: "plan-a" for each in small(8)}
    assert joint.proposals == {}


def test_those_whom_a_plan_under_way_does_not_serve_ask_for_another_one() -> None:
    expected = {"worker-0": Expected("plan-a", {bdf(0): Mode.parse("CPX/NPS1")})}
    nodes = host(*spx(1), max_parallel_nodes=2), host(*spx(1), name="worker-1", max_parallel_nodes=2)
    joint = jointly(small(10), *nodes, expected=expected, active=["worker-0"])
    assert len(joint.served) == 8
    assert {each.node for each in joint.proposals.values()} == {"worker-1"}


def test_while_the_budget_is_used_up_nothing_is_proposed() -> None:
    assert jointly(small(3), host(*spx(1)), active=["worker-9"]) == NOTHING


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(busy(0, "SPX/NPS1", FOREIGN), id="held"),
        pytest.param(gpu(0, "SPX/NPS1", plan="other"), id="in another plan's hand"),
        pytest.param(gpu(0, "SPX/NPS1", unhealthy=[0]), id="unhealthy"),
        pytest.param(with_partition(gpu(0, "SPX/NPS1"), 0, quarantined=True), id="in quarantine"),
        pytest.param(with_partition(gpu(0, "SPX/NPS1"), 0, reservation=Reservation("owner")), id="kept for another"),
    ],
)
def test_a_gpu_that_is_not_idle_keeps_its_mode(kept: Gpu) -> None:
    assert jointly(small(2), host(kept)).proposals == {}
    assert changes(jointly(small(2), host(kept, gpu(1, "SPX/NPS1")))) == {((bdf(1), "CPX/NPS1"),)}


def test_a_gpu_that_somebody_watches_keeps_its_mode() -> None:
    (watched,) = spx(1)
    held = frozenset([("worker-0", watched.partitions[0].device)])
    assert jointly(small(2), host(watched), admin_held=held).proposals == {}


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({"modes": ["SPX/NPS1", "DPX/NPS1"]}, id="not among the allowed modes"),
        pytest.param({"validated_only": True}, id="not validated"),
        pytest.param({"repartition": False}, id="no changes at all"),
        pytest.param({"cooldown_left": 60.0}, id="changed lately"),
        pytest.param({"in_window": False}, id="outside the window"),
        pytest.param({"paused": True}, id="paused"),
    ],
)
def test_a_policy_binds_the_joint_choice_as_any_other(policy: dict[str, Any]) -> None:
    assert jointly(small(2), host(*spx(1), **policy)).proposals == {}


def test_a_node_that_is_not_for_the_pods_stays_as_it_is() -> None:
    tainted = node("worker-0", *spx(1), policy=policy_view(), taints=[Taint("a", "b", "NoSchedule")])
    assert jointly(small(2), tainted, host(*spx(1), name="worker-1")).proposals["team-a/small-0"].node == "worker-1"


def test_no_more_is_promised_than_the_node_has_cpu_for() -> None:
    thirsty = constrained(Resources(50_000, GIB, 1))
    joint = jointly(small(4, pod=thirsty), host(*spx(1)))
    assert (len(joint.proposals), len(joint.unserved)) == (2, 2)


def test_a_change_that_did_not_help_is_left_to_the_claim_itself() -> None:
    assert jointly(small(2), host(*spx(1)), tried=True).proposals == {}


def test_the_higher_priority_gets_its_mode() -> None:
    joint = jointly([*small(8), demand("urgent", 20, modes=["DPX/NPS1"], priority=9)], host(*spx(1)))
    assert joint.proposals.keys() == {"team-a/urgent"}
    assert joint.unserved == {each.key for each in small(8)}


def test_who_fits_no_mode_at_all_is_not_told_that_others_took_its_gpu() -> None:
    joint = jointly([*small(8), demand("huge", 500)], host(*spx(2)))
    assert len(joint.proposals) == 8
    assert joint.unserved == frozenset()
