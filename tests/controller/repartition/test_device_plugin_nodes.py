"""Changes and drains on nodes whose GPUs are handed out by AMD's device plugin: by name and count, not by device."""

from dataclasses import replace
from typing import Any

import pytest

from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.repartition.disruption_budget import Refused
from controller.repartition.drain import Drain, decide_drain
from controller.repartition.planner import Proposal, propose
from tests.builders.demand import demand
from tests.builders.gpu import bdf, busy, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view
from tests.builders.victim import victim

CPX, SPX = "amd.com/cpx_nps1", "amd.com/spx_nps1"


def host(*gpus: Gpu, naming: str = "mixed", name: str = "worker-0", **fields: Any) -> Node:
    """A node of the device plugin that advertises every partition."""
    named = tuple(under(card, naming) for card in gpus)
    counts: dict[str, int] = {}
    for card in named:
        for part in card.partitions:
            counts[part.resource] = counts.get(part.resource, 0) + 1
    values: dict[str, Any] = {"plugin": True, "naming": naming, "devices": counts, "policy": policy_view()} | fields
    return node(name, *named, **values)


def under(card: Gpu, naming: str) -> Gpu:
    resource = "amd.com/gpu" if naming == "single" else f"amd.com/{card.mode.profile}"
    return replace(card, partitions=tuple(replace(part, resource=resource) for part in card.partitions))


def asking(resource: str, naming: str = "mixed", gib: float = 16) -> Demand:
    return demand(gib=gib, resource=resource, naming=naming)


def change(wanted: Demand, *nodes: Node) -> dict[str, str] | None:
    found = propose(Snapshot(nodes), wanted, ())
    return {gpu_: str(mode) for gpu_, mode in found.after} if isinstance(found, Proposal) else None


def test_only_the_mode_that_the_pods_resource_is_named_for_helps() -> None:
    both = host(gpu(0, "SPX/NPS1"), gpu(1, "SPX/NPS1"))
    assert change(asking(CPX), both) == {bdf(0): "CPX/NPS1"}
    assert change(asking("amd.com/qpx_nps1"), both) == {bdf(0): "QPX/NPS1"}
    assert change(asking(SPX), both) is None


def test_where_all_devices_have_one_name_all_gpus_change_alike() -> None:
    both = host(gpu(0, "SPX/NPS1"), gpu(1, "SPX/NPS1"), naming="single")
    crowded = host(gpu(0, "SPX/NPS1"), busy(1, "SPX/NPS1"), naming="single")
    wanted = asking("amd.com/gpu", "single")
    assert change(wanted, both) == {bdf(0): "CPX/NPS1", bdf(1): "CPX/NPS1"}
    assert change(wanted, crowded) is None


def test_while_nobody_knows_which_device_a_pod_holds_nothing_changes() -> None:
    assert change(asking(CPX), host(gpu(0, "SPX/NPS1"), unlocated={SPX: 1})) is None
    assert change(asking(CPX), host(gpu(0, "SPX/NPS1"), unlocated={SPX: 0})) is not None


def drained(*nodes: Node, pods: int = 1) -> Drain | Refused:
    crowd = [victim(f"b-{n}", index=n, resource=CPX, naming="mixed") for n in range(pods)]
    return decide_drain(Snapshot(nodes), "worker-0", frozenset({bdf(0)}), crowd, budget_left=9, allowed=lambda _: True)


HOME = host(gpu(0, "CPX/NPS1"), gpu(1, "CPX/NPS1"))


def test_a_pod_moves_to_a_node_that_advertises_its_resource() -> None:
    others = [host(gpu(0, mode), name=name) for name, mode in (("worker-1", "SPX/NPS1"), ("worker-2", "CPX/NPS1"))]
    found = drained(HOME, node("worker-3", gpu(0, "CPX/NPS1")), *others)
    assert isinstance(found, Drain)
    assert [(move.node, move.mode) for move in found.moves] == [("worker-2", Mode.parse("CPX/NPS1"))]


def test_its_own_node_is_no_place_for_the_kubelet_may_choose_the_gpu_that_changes() -> None:
    assert isinstance(drained(HOME), Refused)


@pytest.mark.parametrize(
    ("fields", "pods", "want"),
    [
        pytest.param({}, 8, True, id="as many as there are"),
        pytest.param({"devices": {CPX: 3}}, 3, True, id="as many as are advertised"),
        pytest.param({"devices": {CPX: 3}}, 4, False, id="no more than are advertised"),
        pytest.param({"unlocated": {CPX: 6}}, 2, True, id="beside those that are held unseen"),
        pytest.param({"unlocated": {CPX: 6}}, 3, False, id="no more than beside those"),
    ],
)
def test_devices_are_counted(fields: dict[str, Any], pods: int, want: bool) -> None:
    assert isinstance(drained(HOME, host(gpu(0, "CPX/NPS1"), name="worker-1", **fields), pods=pods), Drain) is want


def test_held_devices_count_as_well() -> None:
    crowded = host(busy(0, "CPX/NPS1"), name="worker-1", devices={CPX: 3})
    assert isinstance(drained(HOME, crowded, pods=2), Drain)
    assert isinstance(drained(HOME, crowded, pods=3), Refused)
