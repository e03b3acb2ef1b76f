from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from controller.gpu.mode import Mode
from controller.gpu.product import product_named
from controller.placement import precision_support
from controller.placement.demand import Demand
from controller.placement.quota import Quota
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.repartition import candidates
from controller.repartition.disruption_budget import Refused
from controller.repartition.planner import Proposal, propose
from tests.builders.demand import demand
from tests.builders.gpu import FOREIGN, GIB, OURS, bdf, busy, full, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view

Change = dict[str, str]


def host(*gpus: Gpu, name: str = "worker-0", **policy: object) -> Node:
    return node(name, *gpus, policy=policy_view(**policy))  # type: ignore[arg-type]


def proposed(wanted: Demand, *nodes: Node, active: Sequence[str] = ()) -> Proposal | Refused:
    return propose(Snapshot(nodes), wanted, active)


def change(wanted: Demand, *nodes: Node) -> Change:
    found = proposed(wanted, *nodes)
    assert isinstance(found, Proposal), found
    return {gpu_: str(mode) for gpu_, mode in found.after}


def reason(wanted: Demand, *nodes: Node, active: Sequence[str] = ()) -> str:
    found = proposed(wanted, *nodes, active=active)
    assert isinstance(found, Refused), found
    return found.reason


def test_an_idle_gpu_changes_its_compute_mode_alone() -> None:
    found = proposed(demand(gib=16), host(gpu(0, "SPX/NPS1"), busy(1, "SPX/NPS1")))
    assert found == Proposal(
        node="worker-0",
        policy="shared",
        automatic=True,
        before=((bdf(0), Mode.parse("SPX/NPS1")),),
        after=((bdf(0), Mode.parse("CPX/NPS1")),),
        target=bdf(0),
        mode=Mode.parse("CPX/NPS1"),
    )
    assert not found.reloads_driver


@pytest.mark.parametrize("holder", [OURS, FOREIGN], ids=["held by a claim", "held by somebody else"])
def test_one_held_partition_blocks_the_compute_change_of_its_gpu(holder: object) -> None:
    taken = busy(0, "CPX/NPS1", OURS if holder is OURS else FOREIGN)
    assert reason(demand(gib=100), host(taken)) == "NoIdleGPU"
    assert change(demand(gib=100), host(taken, gpu(1, "CPX/NPS1"))) == {bdf(1): "SPX/NPS1"}


def test_a_memory_change_takes_every_gpu_of_the_node() -> None:
    wanted = demand(gib=16, modes=["CPX/NPS4"])
    found = proposed(wanted, host(gpu(0, "QPX/NPS1"), gpu(1, "CPX/NPS1"), gpu(2, "QPX/NPS1")))
    assert isinstance(found, Proposal)
    assert found.reloads_driver
    assert [gpu_ for gpu_, _ in found.before] == [gpu_ for gpu_, _ in found.after] == [bdf(0), bdf(1), bdf(2)]


@pytest.mark.parametrize("number", [0, 1, 2], ids="the busy GPU is number {}".format)
def test_one_busy_gpu_anywhere_blocks_a_memory_change(number: int) -> None:
    gpus = [busy(n, "SPX/NPS1", FOREIGN) if n == number else gpu(n, "SPX/NPS1") for n in range(3)]
    assert reason(demand(gib=16, modes=["CPX/NPS4"]), host(*gpus)) == "NoIdleGPU"


def test_other_gpus_keep_their_compute_mode_where_the_memory_mode_has_it() -> None:
    # SPX has no NPS4: such a GPU goes along with the target's mode, QPX and CPX stay what they are.
    gpus = [gpu(0, "CPX/NPS1"), gpu(1, "QPX/NPS1"), gpu(2, "SPX/NPS1")]
    after = change(demand(gib=16, modes=["CPX/NPS4"]), host(*gpus))
    assert after == {bdf(0): "CPX/NPS4", bdf(1): "QPX/NPS4", bdf(2): "CPX/NPS4"}


def test_a_gpu_that_has_neither_mode_blocks_the_memory_change() -> None:
    fixed = gpu(1, "SPX/NPS1", allowed=["SPX/NPS1"])
    assert reason(demand(gib=16, modes=["CPX/NPS4"]), host(gpu(0, "SPX/NPS1"), fixed)) == "NoIdleGPU"


def test_a_change_without_driver_reload_wins_over_a_tighter_one_with() -> None:
    # NPS4 stays: CPX/NPS4 -> QPX/NPS4 touches one GPU; any NPS1 mode would reload the driver.
    assert change(demand(gib=40), host(gpu(0), gpu(1))) == {bdf(0): "QPX/NPS4"}


def test_the_smallest_partition_that_fits_is_made() -> None:
    assert change(demand(gib=40), host(gpu(0, "SPX/NPS1"))) == {bdf(0): "QPX/NPS1"}
    assert change(demand(gib=60), host(gpu(0, "SPX/NPS1"))) == {bdf(0): "DPX/NPS1"}


@pytest.mark.parametrize(
    ("policy", "want"),
    [
        pytest.param({}, "CPX/NPS1", id="any mode the GPU has"),
        pytest.param({"modes": ["QPX/NPS1", "SPX/NPS1"]}, "QPX/NPS1", id="allowedModes"),
        pytest.param({"modes": ["SPX/NPS1"]}, None, id="allowedModes with nothing useful"),
        pytest.param({"validated_only": True}, "CPX/NPS4", id="validatedOnly"),
        pytest.param({"validated_only": True, "modes": ["CPX/NPS1"]}, None, id="allowed but not validated"),
        pytest.param({"repartition": False}, None, id="not enabled"),
        pytest.param({"cooldown_left": 1.0}, None, id="cooling down"),
        pytest.param({"paused": True}, None, id="paused"),
    ],
)
def test_policies_bound_the_modes(policy: dict[str, Any], want: str | None) -> None:
    found = proposed(demand(gib=16), host(gpu(0, "SPX/NPS1"), **policy))
    assert (str(found.mode) if isinstance(found, Proposal) else None) == want


def test_the_mode_asked_for_bounds_it_too() -> None:
    assert change(demand(gib=16, modes=["DPX/NPS1"]), host(gpu(0, "SPX/NPS1"))) == {bdf(0): "DPX/NPS1"}


@pytest.mark.parametrize(
    ("active", "most", "want"),
    [
        pytest.param(["worker-9"], 1, "RepartitionBudget", id="one node is changing, one may"),
        pytest.param(["worker-0"], 2, "RepartitionRunning", id="this node is changing"),
    ],
)
def test_budgets_count_nodes_across_the_cluster(active: list[str], most: int, want: str) -> None:
    candidate = host(gpu(0, "SPX/NPS1"), max_parallel_nodes=most)
    assert reason(demand(gib=16), candidate, active=active) == want


def test_a_manual_policy_proposes_for_a_person_to_approve() -> None:
    found = proposed(demand(gib=16), host(gpu(0, "SPX/NPS1"), approval="Manual"))
    assert isinstance(found, Proposal)
    assert not found.automatic


def test_no_room_is_made_on_a_gpu_that_does_not_serve_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    # of the products that can be divided all serve all precisions, so one is made older
    old = {"MI300X": replace(product_named("MI300X"), gfx_version=90010)}
    monkeypatch.setattr(precision_support, "PRODUCTS", old)
    monkeypatch.setattr(candidates, "obstacle_on", precision_support.obstacle_on.__wrapped__)
    idle = host(gpu(0, "SPX/NPS1"))
    assert change(demand(gib=16, precision="bf16"), idle) == {bdf(0): "CPX/NPS1"}
    assert reason(demand(gib=16, precision="fp8"), idle) == "NoIdleGPU"


def test_a_gpu_in_another_plans_hand_is_left_alone() -> None:
    assert reason(demand(gib=16), host(gpu(0, "SPX/NPS1", plan="plan-1"))) == "NoIdleGPU"
    both = host(gpu(0, "SPX/NPS1", plan="plan-1"), gpu(1, "SPX/NPS1"))
    assert reason(demand(gib=16, modes=["CPX/NPS4"]), both) == "NoIdleGPU"
    assert change(demand(gib=16), both) == {bdf(1): "CPX/NPS1"}


def test_a_node_the_pod_cannot_run_on_is_not_changed() -> None:
    cordoned = node("worker-0", gpu(0, "SPX/NPS1"), policy=policy_view(), unschedulable=True)
    assert reason(demand(gib=16), cordoned) == "NoNode"


def test_where_no_node_takes_the_pod_idle_gpus_are_not_said_to_be_missing() -> None:
    found = proposed(demand(gib=16), host(gpu(0, "SPX/NPS1"), namespaces=frozenset({"team-b"})))
    assert found == Refused("NoNode", "no node takes the pod, whatever the modes of its GPUs")


def test_a_rest_is_told_of_the_node_that_would_help_and_not_of_one_without_an_idle_gpu() -> None:
    busy_one = host(full(0, "CPX/NPS1"), name="worker-0", cooldown_left=5.0)
    idle_one = host(gpu(0, "CPX/NPS1"), name="worker-1", cooldown_left=9.0)
    found = proposed(demand(gib=100), busy_one, idle_one)
    assert isinstance(found, Refused)
    assert found.message.startswith("node worker-1 changed lately; next change in 9 s")
    assert reason(demand(gib=100), host(full(0, "CPX/NPS1", FOREIGN), cooldown_left=5.0)) == "NoIdleGPU"


def test_of_nodes_that_rest_the_one_with_the_cheapest_change_is_told() -> None:
    dearer = host(gpu(0, "CPX/NPS4"), gpu(1, "CPX/NPS4"), name="worker-0", cooldown_left=5.0)
    cheaper = host(gpu(0, "CPX/NPS1"), name="worker-1", cooldown_left=9.0)
    found = proposed(demand(gib=100), dearer, cheaper)
    assert isinstance(found, Refused)
    assert found.message.startswith("node worker-1"), "no driver is reloaded there"


def test_a_rest_counts_where_pods_would_have_to_move_too() -> None:
    assert reason(demand(gib=100), host(full(0, "CPX/NPS1"), cooldown_left=5.0)) == "Cooldown"


def test_no_partition_is_made_that_the_namespaces_quota_does_not_cover() -> None:
    quotas = {"team-a": Quota(most=60 * GIB)}
    assert reason(demand(gib=50), host(gpu(0, "CPX/NPS1"), quotas=quotas)) == "NoIdleGPU"
    assert change(demand(gib=40), host(gpu(0, "CPX/NPS1"), quotas=quotas)) == {bdf(0): "QPX/NPS1"}
    assert change(demand(gib=40), host(gpu(0, "SPX/NPS1"), quotas=quotas)) == {bdf(0): "QPX/NPS1"}, "one that it does"


def test_a_policy_that_changes_nothing_is_told_only_where_a_change_would_help() -> None:
    assert reason(demand(gib=100), node("worker-0", gpu(0, "CPX/NPS1"))) == "RepartitionDisabled"
    assert reason(demand(gib=999), node("worker-0", gpu(0, "CPX/NPS1"))) == "NoIdleGPU"


def test_the_refusal_nearest_to_a_change_is_told() -> None:
    off = host(gpu(0, "SPX/NPS1"), name="worker-0", repartition=False)
    cooling = host(gpu(0, "SPX/NPS1"), name="worker-1", cooldown_left=5.0)
    assert reason(demand(gib=16), off, cooling) == reason(demand(gib=16), cooling) == "Cooldown"
    assert reason(demand(gib=16), host(full(0, "SPX/NPS1"))) == "NoIdleGPU"


def test_equal_candidates_are_chosen_by_name() -> None:
    nodes = [host(gpu(1, "SPX/NPS1"), gpu(0, "SPX/NPS1"), name=name) for name in ("worker-1", "worker-0")]
    found = proposed(demand(gib=16), *nodes)
    assert isinstance(found, Proposal)
    assert (found.node, found.target) == ("worker-0", bdf(0))


def test_a_mode_that_no_table_has_figures_for_is_passed_over() -> None:
    # Hardware may offer what no table knows; one such GPU must not end planning for all.
    odd = gpu(0, "SPX/NPS1", allowed=["SPX/NPS1", "TPX/NPS1"])
    assert reason(demand(gib=16), host(odd)) == "NoIdleGPU"
    assert change(demand(gib=16), host(odd, gpu(1, "SPX/NPS1"))) == {bdf(1): "CPX/NPS1"}


def test_an_unknown_product_is_never_changed() -> None:
    assert reason(demand(gib=16), host(replace(gpu(0, "SPX/NPS1"), product="MI999X"))) == "NoIdleGPU"


def test_a_claim_of_several_partitions_changes_nothing() -> None:
    wanted = demand(gib=16)
    several = replace(wanted, requirement=replace(wanted.requirement, count=2))
    found = proposed(several, host(gpu(0, "SPX/NPS1")))
    assert isinstance(found, Refused)
    assert found.reason == "CountUnsupported"


def test_gpus_that_follow_a_memory_mode_stay_within_the_policy_as_well() -> None:
    bounded = host(gpu(0, "CPX/NPS4"), gpu(1, "CPX/NPS4"), modes=("DPX/NPS1",))
    assert change(demand(gib=90), bounded) == {bdf(0): "DPX/NPS1", bdf(1): "DPX/NPS1"}
