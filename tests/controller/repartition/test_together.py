"""A pod of two partitions has to move: where both fit, or nowhere."""

from dataclasses import replace

import pytest

from controller.placement.demand import Resources
from controller.placement.snapshot import Node, Reservation, Snapshot
from controller.repartition.together import move_together
from controller.repartition.victims import Victim
from tests.builders.demand import constrained
from tests.builders.gpu import bdf, busy, full, gpu, with_partition
from tests.builders.node import node
from tests.builders.plugin import CPX
from tests.builders.victim import victim

HOME = node("worker-0", full(0))
PAIR = victim(count=2)


def places(*nodes: Node, pair: Victim = PAIR) -> list[str]:
    moves = move_together(Snapshot(nodes), "worker-0", pair)
    return [f"{move.node} {move.partition}" for move in moves]


def test_all_partitions_go_to_one_node_one_gpu_before_two() -> None:
    scattered = node("worker-1", full(0), gpu(1, "SPX/NPS1"), gpu(2, "SPX/NPS1"))
    together = node("worker-2", busy(0))
    assert places(HOME, scattered, together) == [f"worker-2 {bdf(0)}/1", f"worker-2 {bdf(0)}/2"]
    assert places(HOME, scattered) == [f"worker-1 {bdf(1)}/0", f"worker-1 {bdf(2)}/0"]


def test_two_nodes_with_one_each_do_not_do() -> None:
    assert places(HOME, node("worker-1", gpu(0, "SPX/NPS1")), node("worker-2", gpu(0, "SPX/NPS1"))) == []


def test_what_is_kept_for_somebody_is_nobodys_else() -> None:
    kept = with_partition(gpu(0, "DPX/NPS1"), 1, reservation=Reservation("rs-other"))
    assert places(HOME, node("worker-1", kept)) == []


@pytest.mark.parametrize(("resource", "want"), [("", 2), (CPX, 0)], ids=["DRA", "device plugin"])
def test_at_home_the_pod_frees_its_cpu_and_the_kubelet_might_give_the_same_devices_again(
    resource: str, want: int
) -> None:
    home = node("worker-0", full(0), gpu(1), allocatable=Resources(1000), used=Resources(1000))
    leaver = replace(PAIR, constraints=constrained(Resources(500)), resource=resource)
    assert len(places(home, pair=leaver)) == want
