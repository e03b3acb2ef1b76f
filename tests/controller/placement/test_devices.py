"""Placement on nodes whose GPUs AMD's device plugin hands out: devices are counted, the kubelet chooses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.filters import refuse_node
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Reservation, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import FOREIGN, OURS, busy, full, gpu, with_partition
from tests.builders.node import node
from tests.builders.plugin import plugin_demand, plugin_node

SINGLE = plugin_demand(resource="amd.com/gpu")


def decide(wanted: Demand, *nodes: Node) -> Decision:
    return ModelScheduler().schedule(Snapshot(nodes), wanted)


def reason(wanted: Demand, host: Node) -> str | None:
    found = refuse_node(Snapshot([host]), wanted, host)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("wanted", "host", "want"),
    [
        pytest.param(plugin_demand(), plugin_node(), None, id="mixed naming on both sides"),
        pytest.param(SINGLE, plugin_node(naming="single"), None, id="single naming on both sides"),
        pytest.param(plugin_demand(), plugin_node(naming="single"), "BindingMismatch", id="the node is single"),
        pytest.param(SINGLE, plugin_node(), "BindingMismatch", id="the node is mixed"),
        pytest.param(plugin_demand(), node(), "BindingMismatch", id="the node works with ResourceClaims"),
        pytest.param(demand(), plugin_node(), "BindingMismatch", id="the pod has a ResourceClaim"),
        pytest.param(plugin_demand(), node(plugin=True), "BindingMismatch", id="no plugin was ever there"),
        pytest.param(plugin_demand(), plugin_node(plugin_pods=3), None, id="other pods of the plugin are no hindrance"),
        pytest.param(
            plugin_demand(),
            plugin_node("worker-0", gpu(0), gpu(1, plan="plan-1")),
            "Repartitioning",
            id="another GPU is being changed, and the kubelet may choose it",
        ),
    ],
)
def test_which_nodes_serve_which_pods(wanted: Demand, host: Node, want: str | None) -> None:
    assert reason(wanted, host) == want


@pytest.mark.parametrize(
    ("host", "want"),
    [
        pytest.param(plugin_node(), None, id="all free"),
        pytest.param(plugin_node(devices={"amd.com/cpx_nps4": 0}), "NoPartitionFits", id="the plugin is away"),
        pytest.param(plugin_node(unlocated={"amd.com/cpx_nps4": 7}), None, id="one left"),
        pytest.param(plugin_node(unlocated={"amd.com/cpx_nps4": 8}), "NoFreePartition", id="all taken, unknown which"),
        pytest.param(plugin_node(unlocated={"amd.com/gpu": 8}), None, id="another resource is all taken"),
        pytest.param(plugin_node("worker-0", full()), "NoFreePartition", id="all taken, known which"),
        pytest.param(
            plugin_node("worker-0", gpu(holders={0: OURS, 1: FOREIGN}), unlocated={"amd.com/cpx_nps4": 6}),
            "NoFreePartition",
            id="two known, six unknown",
        ),
        pytest.param(
            plugin_node("worker-0", gpu(holders={0: OURS, 1: FOREIGN}), unlocated={"amd.com/cpx_nps4": 5}),
            None,
            id="two known, five unknown",
        ),
        pytest.param(
            plugin_node(devices={"amd.com/cpx_nps4": 2}, unlocated={"amd.com/cpx_nps4": 2}),
            "NoFreePartition",
            id="fewer advertised than there are",
        ),
        pytest.param(
            plugin_node("worker-0", busy(mode="SPX/NPS1"), devices={"amd.com/spx_nps1": 8}),
            "NoPartitionFits",
            id="more advertised than there are, after a change to fewer",
        ),
        pytest.param(
            plugin_node("worker-0", with_partition(gpu(), 0, quarantined=True), unlocated={"amd.com/cpx_nps4": 7}),
            "NoFreePartition",
            id="one in quarantine is none to give",
        ),
        pytest.param(
            plugin_node(
                "worker-0", with_partition(gpu(), 0, reservation=Reservation("rs-1")), unlocated={"amd.com/cpx_nps4": 7}
            ),
            "NoFreePartition",
            id="the last one is kept for a moved pod",
        ),
    ],
)
def test_devices_are_counted(host: Node, want: str | None) -> None:
    decision = decide(plugin_demand(), host)
    assert (decision.reason if isinstance(decision, Unplaced) else None) == want


def test_the_successor_of_a_moved_pod_gets_the_last_device() -> None:
    kept = with_partition(gpu(), 0, reservation=Reservation("rs-1"))
    host = plugin_node("worker-0", kept, unlocated={"amd.com/cpx_nps4": 7})
    assert isinstance(decide(plugin_demand(owner="rs-1"), host), Placed)


def test_a_resource_named_for_a_mode_is_given_by_gpus_in_that_mode() -> None:
    host = plugin_node("worker-0", gpu(0, "QPX/NPS4"), gpu(1, "CPX/NPS4"))
    decision = decide(plugin_demand(resource="amd.com/qpx_nps4"), host)
    assert isinstance(decision, Placed)
    assert str(decision.mode) == "QPX/NPS4"


def test_what_is_short_is_said() -> None:
    decision = decide(plugin_demand(), plugin_node(unlocated={"amd.com/cpx_nps4": 8}))
    assert isinstance(decision, Unplaced)
    assert "node worker-0 has 8 amd.com/cpx_nps4, of which 8 are taken" in decision.message


@given(
    st.integers(0, 8),
    st.integers(0, 10),
    st.sets(st.integers(0, 7)),
    st.integers(1, 12),
)
def test_a_cycle_never_gives_more_than_the_plugin_has(
    unlocated: int, advertised: int, held: set[int], wanted: int
) -> None:
    host = plugin_node(
        "worker-0",
        gpu(holders=dict.fromkeys(held, FOREIGN)),
        naming="single",
        devices={"amd.com/gpu": advertised},
        unlocated={"amd.com/gpu": unlocated},
    )
    demands = [plugin_demand(f"aim-{number}", resource="amd.com/gpu") for number in range(wanted)]
    placed = [d for _, d in ModelScheduler().cycle(Snapshot([host]), demands) if isinstance(d, Placed)]
    left = min(8, advertised) - len(held) - unlocated
    assert len(placed) == min(wanted, max(0, left))
