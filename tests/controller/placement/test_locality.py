"""Several partitions for one pod."""

from typing import Any

import pytest

from controller.placement.decision import Placed, Unplaced
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Node, Reservation, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import OURS, bdf, gpu, with_partition
from tests.builders.node import node
from tests.builders.plugin import CPX, plugin_demand, plugin_node


def choice(count: int, gib: float, *nodes: Node, **fields: Any) -> tuple[str, list[str]] | str:
    """Node and partitions, or the reason against."""
    decision = ModelScheduler().schedule(Snapshot(nodes), demand(gib=gib, count=count, **fields))
    if isinstance(decision, Unplaced):
        return decision.refusals[0].reason
    return decision.node.name, [str(number) for number in decision.ids]


def places(number: int, *indices: int) -> list[str]:
    return [f"{bdf(number)}/{index}" for index in indices]


def held(number: int, *free: int, product: str = "MI300X") -> Gpu:
    return gpu(number, product=product, holders={index: OURS for index in range(8) if index not in free})


def test_partitions_come_from_one_gpu_and_of_several_from_the_fullest_that_has_enough() -> None:
    host = node("worker-0", gpu(0), held(1, 2, 5, 6), held(2, 7))
    assert choice(2, 16, host) == ("worker-0", places(1, 2, 5))
    assert choice(4, 16, host) == ("worker-0", places(0, 0, 1, 2, 3))


def test_one_gpu_of_another_node_goes_before_two_of_a_better_fitting_one() -> None:
    tight = node("worker-0", held(0, 1), held(1, 1))
    assert choice(2, 16, tight, node("worker-1", gpu(0))) == ("worker-1", places(0, 0, 1))
    assert choice(2, 16, tight) == ("worker-0", places(0, 1) + places(1, 1))


def test_as_few_gpus_as_will_do_the_last_of_them_the_fullest() -> None:
    host = node("worker-0", held(0, 0, 1, 2), gpu(1), held(2, 4), held(3, 0, 1, 2, 3, 4, 5))
    assert choice(9, 16, host) == ("worker-0", places(1, *range(8)) + places(2, 4))
    assert choice(14, 16, host) == ("worker-0", places(1, *range(8)) + places(3, 0, 1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(gpu(1, "DPX/NPS1", holders={0: OURS}), id="of another mode"),
        pytest.param(held(1, 0, product="MI325X"), id="of another product"),
    ],
)
def test_partitions_of_two_kinds_are_not_put_together(other: Gpu) -> None:
    host = node("worker-0", held(0, 3), other)
    assert choice(2, 16, host) == "PartitionHeld"
    counted = ModelScheduler().schedule(Snapshot([host]), demand(gib=16, count=2))
    assert isinstance(counted, Unplaced)
    assert {row.reason: row.count for row in counted.refusals}["TooFewTogether"] == 2
    assert "worker-0 has 2 that fit, needed are 2 of one product and mode" in counted.message


def test_each_partition_must_hold_what_a_rank_needs() -> None:
    mixed = node("worker-0", gpu(0), gpu(1, "QPX/NPS1"))
    assert choice(2, 40, mixed) == ("worker-0", places(1, 0, 1))
    assert choice(5, 40, mixed) == "PartitionTooSmall"


def test_what_is_kept_for_the_pod_is_taken_first() -> None:
    kept = with_partition(gpu(0), 6, reservation=Reservation("rs-1", "7f"))
    assert choice(2, 16, node("worker-0", kept), owner="rs-1", template_hash="7f") == ("worker-0", places(0, 0, 6))
    assert choice(8, 16, node("worker-0", kept), owner="rs-2") == "TooFewTogether"


@pytest.mark.parametrize(("unlocated", "want"), [(6, True), (7, False)])
def test_the_device_plugin_must_have_as_many_devices_left(unlocated: int, want: bool) -> None:
    host = plugin_node(unlocated={CPX: unlocated})
    decision = ModelScheduler().schedule(Snapshot([host]), plugin_demand(count=2))
    assert isinstance(decision, Placed) is want
