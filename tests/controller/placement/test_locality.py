"""Several partitions for one pod."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.placement.decision import Placed, Unplaced
from controller.placement.locality import Tier, tier_of, tier_text
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


def linked(number: int, hive: int | None, *free: int) -> Gpu:
    """A GPU of that hive with so many partitions free."""
    return replace(held(number, *free), hive=hive)


def test_gpus_that_xgmi_links_go_before_fewer_that_it_does_not() -> None:
    apart = node("worker-0", linked(0, None, 0, 1), linked(1, None, 0, 1))
    three = node("worker-1", linked(0, 0, 0, 1), linked(1, 0, 0), linked(2, 0, 0))
    assert choice(4, 16, apart, three) == ("worker-1", [*places(0, 0, 1), *places(1, 0), *places(2, 0)])
    assert choice(4, 16, apart) == ("worker-0", places(0, 0, 1) + places(1, 0, 1))


def test_one_gpu_goes_before_gpus_that_xgmi_links() -> None:
    together = node("worker-1", gpu(0))
    assert choice(4, 16, node("worker-0", linked(0, 0, 0, 1), linked(1, 0, 0, 1)), together)[0] == "worker-1"


def test_on_one_node_the_hive_that_has_enough_is_taken_though_fewer_gpus_of_two_hives_would_do() -> None:
    hives = [linked(0, 0, 0, 1, 2), linked(1, 1, 0, 1), linked(2, 1, 0), linked(3, 1, 5)]
    assert choice(4, 16, node("worker-0", *hives)) == (
        "worker-0",
        [*places(1, 0, 1), *places(2, 0), *places(3, 5)],
    )


@pytest.mark.parametrize(
    ("gpus", "tier", "words"),
    [
        pytest.param([gpu(0)], Tier.ONE_GPU, "", id="one partition"),
        pytest.param([gpu(0), gpu(0)], Tier.ONE_GPU, "on one GPU", id="two partitions of one GPU"),
        pytest.param([gpu(0, hive=0), gpu(1, hive=0)], Tier.XGMI, "on 2 GPUs that xGMI links", id="one hive"),
        pytest.param([gpu(0, hive=0), gpu(1, hive=1)], Tier.PCIE, "on 2 GPUs that only PCIe links", id="two hives"),
        pytest.param(
            [gpu(0), gpu(1), gpu(1)], Tier.PCIE, "on 2 GPUs that are not known to be linked by xGMI", id="nobody tells"
        ),
    ],
)
def test_what_lies_between_partitions_is_told_in_words(gpus: list[Gpu], tier: Tier, words: str) -> None:
    assert (tier_of(gpus), tier_text(gpus)) == (tier, words)


@given(free=st.lists(st.integers(0, 3), min_size=4, max_size=4), count=st.integers(1, 5))
def test_no_set_of_partitions_is_in_a_nearer_tier_or_on_fewer_gpus_of_it(free: list[int], count: int) -> None:
    gpus = [linked(number, (0, 0, 1, None)[number], *range(most)) for number, most in enumerate(free)]
    decision = ModelScheduler().schedule(Snapshot([node("worker-0", *gpus)]), demand(gib=16, count=count))
    sets = [
        (tier_of(chosen), size)
        for size in range(1, 5)
        for chosen in combinations(gpus, size)
        if sum(free[gpus.index(each)] for each in chosen) >= count and all(free[gpus.index(each)] for each in chosen)
    ]
    if isinstance(decision, Unplaced):
        assert not sets
    else:
        own = {device.gpu.bdf: device.gpu for device in decision.devices}.values()
        assert (tier_of(own), len(own)) == min(sets)
