from dataclasses import replace
from typing import Any

import pytest

from controller.placement.decision import Unplaced
from controller.placement.snapshot import Gpu, Reservation
from controller.repartition.defragmentation import MOST_LOOKS, MOST_WAITING, Chance, Worth, chances
from controller.repartition.disruption_budget import Usage
from controller.repartition.disturbance import Disturbance
from controller.repartition.regained import Gain
from tests.builders.demand import constrained, demand
from tests.builders.fragments import host, scene, used
from tests.builders.gpu import FOREIGN, bdf, device_name, gpu, with_partition

WHOLE = demand("aim-whole", 150)
CPX = "CPX/NPS1"


def told(chance: Chance) -> tuple[str, list[str], list[str], list[str]]:
    """Node, GPUs, their modes after, pods that move."""
    gpus, modes = zip(*chance.after, strict=True)
    return chance.node, list(gpus), [str(mode) for mode in modes], [move.victim.pod for move in chance.moves]


def test_models_on_two_gpus_are_brought_together_on_one() -> None:
    best, *_ = chances(scene(host(used(0, CPX, "a", "b"), used(1, CPX, "c"))))
    assert told(best) == ("worker-0", [bdf(1)], [CPX], ["c"])
    assert best.before == best.after
    assert best.gain == Gain(gpus=1, bytes=sum(one.bytes for one in gpu(1, CPX).partitions), claims=0)


def test_nothing_is_gained_where_the_pod_would_fill_another_idle_gpu() -> None:
    assert chances(scene(host(used(0, CPX, "a"), gpu(1, CPX)))) == ()


def test_a_gpu_is_emptied_and_changed_for_a_claim_that_needs_all_of_it() -> None:
    best, *_ = chances(scene(host(used(0, CPX, "a", "b"), used(1, CPX, "c")), waiting=[WHOLE]))
    assert told(best) == ("worker-0", [bdf(1)], ["SPX/NPS1"], ["c"])
    assert (best.gain.claims, best.served) == (1, (WHOLE.key,))


def test_a_small_model_leaves_a_large_partition_to_a_claim_that_needs_it() -> None:
    best, *_ = chances(scene(host(used(0, "SPX/NPS1", "small"), used(1, CPX, "a")), waiting=[WHOLE]))
    assert told(best) == ("worker-0", [bdf(0)], ["SPX/NPS1"], ["small"])
    assert best.served == (WHOLE.key,)


def test_several_gpus_are_emptied_for_a_claim_of_several() -> None:
    large = demand("aim-two", 150, count=2)
    gpus = used(0, "SPX/NPS1", "a"), used(1, "SPX/NPS1", "b"), used(2, CPX, "c")
    best, *_ = chances(scene(host(*gpus), waiting=[large]))
    assert told(best) == ("worker-0", [bdf(0), bdf(1)], ["SPX/NPS1", "SPX/NPS1"], ["a", "b"])
    assert best.served == (large.key,)


def test_claims_that_one_change_serves_count_each() -> None:
    halves = [demand(f"aim-{number}", 90) for number in range(3)]
    best, *_ = chances(scene(host(used(0, CPX, "a"), used(1, CPX, "b", "c")), waiting=halves))
    assert told(best)[2] == ["DPX/NPS1"]
    assert (best.gain.claims, best.served) == (2, tuple(half.key for half in halves[:2]))


def test_the_most_gain_for_each_pod_that_moves_comes_first() -> None:
    gpus = used(0, CPX, "a", "b", "c"), used(1, CPX, "d", "e"), used(2, CPX, "f")
    found = [(each.gain.gpus, len(each.moves)) for each in chances(scene(host(*gpus)))]
    assert found == [(1, 1), (2, 3)]


def test_seconds_that_pods_took_to_start_are_the_cost() -> None:
    times = {"c": 90.0}
    asked = scene(
        host(used(0, CPX, "a", "b"), used(1, CPX, "c")), start_seconds=lambda each: times.get(each.pod), waiting=[WHOLE]
    )
    best, *_ = chances(asked)
    assert best.cost == Disturbance(1, 90.0, None)
    assert chances(replace(asked, waiting=(), change_seconds=30))[0].cost == Disturbance(1, 90.0, 0.0)


@pytest.mark.parametrize(
    ("worth", "want"),
    [
        pytest.param(Worth(1, 2), [2], id="two pods for a GPU"),
        pytest.param(Worth(1, 1), [], id="more pods than the GPU is worth"),
        pytest.param(Worth(2, 9), [], id="too small a gain"),
    ],
)
def test_what_is_not_worth_it_is_no_chance(worth: Worth, want: list[int]) -> None:
    found = chances(scene(host(used(0, CPX, "a", "b"), used(1, CPX, "c", "d", "e")), worth=worth))
    assert [len(each.moves) for each in found] == want


FREE = used(1, CPX, *"cdefg")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(with_partition(used(0, CPX, "a"), 1, holder=FOREIGN), id="a foreign holder"),
        pytest.param(with_partition(used(0, CPX, "a"), 1, quarantined=True), id="quarantine"),
        pytest.param(with_partition(used(0, CPX, "a"), 1, healthy=False), id="a broken partition"),
        pytest.param(with_partition(used(0, CPX, "a"), 1, reservation=Reservation("rs")), id="a place that is kept"),
        pytest.param(replace(used(0, CPX, "a"), plan="other"), id="a plan has it in hand"),
    ],
)
def test_a_gpu_that_cannot_be_emptied_is_left_alone(source: Gpu) -> None:
    assert [told(each)[1] for each in chances(scene(host(source, FREE)))] == []


def test_a_gpu_on_which_a_waiting_claims_place_is_kept_is_emptied_for_that_claim_alone() -> None:
    kept = with_partition(used(0, "SPX/NPS1", "small"), 0, reservation=Reservation("", claim=WHOLE.uid))
    nodes = host(kept, used(1, CPX, "a"))
    assert chances(scene(nodes, waiting=[WHOLE]))[0].served == (WHOLE.key,)
    assert [told(each)[1] for each in chances(scene(nodes, waiting=[demand("aim-other", 150)]))] == []


def test_a_gpu_on_which_one_claims_place_is_kept_is_not_emptied_for_another_that_waits() -> None:
    promised = demand("aim-promised", 150, modes=["SPX/NPS1"], pod=constrained(node_selector=(("zone", "b"),)))
    kept = with_partition(used(0, CPX, "a"), 7, reservation=Reservation("", claim=promised.uid))
    nodes = host(kept, used(1, CPX, "b", "c"))
    assert [each.served for each in chances(scene(nodes, waiting=[WHOLE])) if bdf(0) in told(each)[1]] == []
    found = chances(scene(nodes, waiting=[WHOLE, promised]))
    assert all(bdf(0) not in told(each)[1] for each in found), "the promised one cannot go there, and nobody else may"


def test_for_each_claim_that_gets_in_as_many_pods_may_move() -> None:
    worth = Worth(max_evictions=2)
    assert worth.covers(Gain(gpus=0, bytes=0, claims=2), evictions=4)
    assert not worth.covers(Gain(gpus=0, bytes=0, claims=2), evictions=5)


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({"repartition": False}, id="no changes allowed"),
        pytest.param({"paused": True}, id="paused"),
        pytest.param({"max_unavailable_pods": 0}, id="nobody may be moved"),
    ],
)
def test_a_node_where_nobody_may_be_moved_now_is_left_alone(policy: dict[str, Any]) -> None:
    assert chances(scene(host(used(0, CPX, "a"), FREE, **policy))) == ()


def test_nodes_of_another_policy_are_left_alone() -> None:
    assert chances(replace(scene(host(used(0, CPX, "a"), FREE)), policy="other")) == ()


@pytest.mark.parametrize(
    ("policy", "usage"),
    [
        pytest.param({"in_window": False}, Usage(), id="outside the window"),
        pytest.param({"cooldown_left": 60.0}, Usage(), id="the node rests"),
        pytest.param({}, Usage(active_nodes=("worker-9",)), id="another node changes"),
        pytest.param({}, Usage(unavailable_pods=4), id="pods are down"),
    ],
)
def test_what_passes_hides_no_chance_for_a_plan_waits_for_it_by_itself(policy: dict[str, Any], usage: Usage) -> None:
    assert chances(scene(host(used(0, CPX, "a"), FREE, **policy), usage=usage))


def test_what_bears_on_a_change_is_asked_for() -> None:
    field = scene(host(used(0, CPX, "a"), FREE))
    assert not chances(replace(field, usage=Usage(active_nodes=("worker-0",))))
    assert not chances(replace(field, victim=lambda *_: None))
    assert not chances(replace(field, admin_held=frozenset({("worker-0", device_name(0, 5))})))


def test_a_mode_that_the_policy_forbids_is_not_chosen() -> None:
    gpus = used(0, CPX, "a", "b"), used(1, CPX, "c")
    found = chances(scene(host(*gpus, modes=frozenset({gpu(0, CPX).mode})), waiting=[WHOLE]))
    assert {mode for each in found for mode in told(each)[2]} == {CPX}


def test_a_pod_goes_to_another_node_as_well_and_what_it_finds_there_is_counted() -> None:
    best, *_ = chances(scene(host(used(0, CPX, "a")), host(used(0, CPX, "b", "c"), name="worker-1")))
    assert told(best)[0] == "worker-0"
    assert best.moves[0].node == "worker-1"


def test_the_snapshot_is_left_as_it_was_and_equal_questions_have_equal_answers() -> None:
    field = scene(host(used(0, CPX, "a", "b"), used(1, CPX, "c")), waiting=[WHOLE])
    first = chances(field)
    assert not field.snapshot.trial_nodes
    assert chances(field) == first


def test_claims_that_wait_are_looked_at_first_however_many_gpus_could_come_free() -> None:
    many = [host(used(0, CPX, "a"), used(1, CPX, "b", "c"), name=f"worker-{number:03}") for number in range(50)]
    assert chances(scene(*many, waiting=[WHOLE]))[0].served == (WHOLE.key,)


def test_effort_is_bounded_however_large_the_cluster() -> None:
    asked = 0

    def refuse(*_: Any) -> Unplaced:
        nonlocal asked
        asked += 1
        return Unplaced("NoPartitionFits", "")

    many = [host(used(0, CPX, "a"), used(1, CPX, "b", "c"), name=f"worker-{number:03}") for number in range(300)]
    claims = [demand(f"aim-{number}", 100 + number) for number in range(100)]
    assert len(chances(scene(*many, waiting=claims, schedule=refuse))) <= MOST_LOOKS
    assert 0 < asked <= MOST_LOOKS * MOST_WAITING
