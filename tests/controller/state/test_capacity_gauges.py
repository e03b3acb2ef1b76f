"""What partitions are used for, as rows of found: kept up node by node, and equal to what a look at all nodes says."""

from dataclasses import replace
from random import Random

import pytest

from controller.placement.demand import Resources
from controller.placement.expectation import Shape
from controller.placement.node import Gpu, Holder, Node
from controller.placement.nodes import Nodes
from controller.placement.steps import finished
from controller.state import capacity_gauges
from controller.state.capacity_gauges import CapacityGauges, CapacityRows
from controller.telemetry.families import Labels
from tests.builders.gpu import FOREIGN, GIB, gpu
from tests.builders.node import PLENTY, node

OURS = Holder("ours", "team-a/aim-a")
NEEDS = {"team-a/aim-a": 20 * GIB}


def looked(*nodes: Node, seen: dict[Shape, int] | None = None) -> CapacityRows:
    return finished(CapacityGauges(NEEDS.get).looking(Nodes(nodes), seen or {}))


def counted(found: CapacityRows) -> dict[Labels, float]:
    return {labels: count for labels, count in found.partitions if count}


def test_partitions_are_counted_by_product_mode_and_holder_with_zeros_of_what_is_there() -> None:
    gpus = gpu(0, holders={0: OURS, 1: FOREIGN}), gpu(1, "SPX/NPS1", holders={0: OURS})
    found = dict(looked(node("a", *gpus), node("b")).partitions)
    assert {labels: count for labels, count in found.items() if count} == {
        ("MI300X", "CPX/NPS4", "free"): 14.0,
        ("MI300X", "CPX/NPS4", "ours"): 1.0,
        ("MI300X", "CPX/NPS4", "foreign"): 1.0,
        ("MI300X", "SPX/NPS1", "ours"): 1.0,
    }
    assert found["MI300X", "SPX/NPS1", "free"] == found["MI300X", "CPX/NPS4", "unusable"] == 0.0
    assert len(found) == 10


def test_what_nobody_holds_and_nobody_may_use_is_unusable_and_somebodys_is_his() -> None:
    sick = gpu(0, holders={1: OURS}, unhealthy=(0, 1))
    found = looked(node("a", sick), seen={(0, 1, 1): 1})
    held = {labels[2]: count for labels, count in counted(found).items()}
    assert held == {"free": 6.0, "ours": 1.0, "unusable": 1.0}
    assert found.fragmentation == [(("MI300X",), 0.0)]


def test_what_is_in_quarantine_is_unusable_however_well_it_looks() -> None:
    whole = gpu(0, holders={0: OURS})
    kept = whole.having(tuple(replace(each, quarantined=each.id.index in (0, 1, 2)) for each in whole.partitions), None)
    found = looked(node("a", kept), seen={(0, GIB, 1): 1})
    assert {labels[2]: count for labels, count in counted(found).items()} == {"free": 5.0, "ours": 1.0, "unusable": 2.0}
    assert dict(found.allocation) == {("MI300X",): pytest.approx(1 / 6)}


def test_what_pods_hold_by_the_device_plugin_is_unlocated_until_somebody_tells_which_it_is() -> None:
    there = node("a", plugged(0), unlocated={"amd.com/cpx_nps4": 3, "amd.com/gpu": 1})
    found = looked(there)
    assert {labels[2]: count for labels, count in counted(found).items()} == {"free": 5.0, "unlocated": 3.0}
    assert found.allocation == [(("MI300X",), 0.375)]


def test_pods_of_the_device_plugin_are_on_as_many_partitions_as_they_have_whichever_gpus_these_are_on() -> None:
    gpus = plugged(0), plugged(1), plugged(2)
    found = looked(node("a", *gpus, unlocated={"amd.com/cpx_nps4": 10}))
    assert {labels[2]: count for labels, count in counted(found).items()} == {"free": 14.0, "unlocated": 10.0}
    assert {labels[2]: count for labels, count in counted(looked(node("a", *gpus))).items()} == {"free": 24.0}


def plugged(number: int) -> Gpu:
    """A GPU whose partitions the device plugin advertises."""
    whole = gpu(number)
    return whole.having(tuple(replace(each, resource="amd.com/cpx_nps4") for each in whole.partitions), None)


def test_where_nobody_holds_anything_and_every_claim_fits_nothing_is_allocated_or_stranded() -> None:
    found = looked(node("a"), seen={(0, GIB, 1): 1})
    assert (found.allocation, found.fragmentation) == ([(("MI300X",), 0.0)], [(("MI300X",), 0.0)])
    assert dict(found.stranded) == {("MI300X", "inside"): 0.0, ("MI300X", "free"): 0.0}


def test_allocation_is_the_share_of_memory_that_anybody_holds() -> None:
    half = gpu(0, holders=dict.fromkeys(range(3), OURS) | {3: FOREIGN})
    assert looked(node("a", half)).allocation == [(("MI300X",), 0.5)]
    assert looked().allocation == []


def test_what_is_broken_and_nobodys_is_no_memory_to_be_had() -> None:
    one_left = gpu(0, holders=dict.fromkeys(range(3), OURS), unhealthy=(2, 3, 4, 5, 6))
    assert looked(node("a", one_left)).allocation == [(("MI300X",), 0.75)]
    full = gpu(0, holders=dict.fromkeys(range(3), OURS), unhealthy=(3, 4, 5, 6, 7))
    assert looked(node("a", full)).allocation == [(("MI300X",), 1.0)]
    assert looked(node("a", gpu(0, unhealthy=range(8)))).allocation == []


def test_stranded_inside_is_what_claims_hold_beyond_what_they_were_sized_at() -> None:
    size = gpu(0).partitions[0].bytes
    unsized = Holder("ours", "team-a/aim-unsized")
    there = node("a", gpu(0, holders={0: OURS, 1: OURS, 2: FOREIGN, 3: unsized}))
    assert dict(looked(there).stranded) == {("MI300X", "inside"): float(2 * (size - 20 * GIB))}


def test_stranded_free_is_what_no_claim_that_was_seen_fits_into() -> None:
    small, large = gpu(0), gpu(1, "SPX/NPS1")
    seen = {(1_000, 30 * GIB, 1): 9, (PLENTY.cpu_milli + 1, 1 * GIB, 1): 1}
    found = looked(node("a", small, large), seen=seen)
    assert dict(found.stranded)["MI300X", "free"] == float(sum(one.bytes for one in small.partitions))
    assert ("MI300X", "free") not in dict(looked(node("a", small)).stranded)


def test_cpu_that_pods_use_is_not_there_for_others() -> None:
    seen = {(PLENTY.cpu_milli // 2, GIB, 1): 1}
    half, less = Resources(cpu_milli=PLENTY.cpu_milli // 2), Resources(cpu_milli=PLENTY.cpu_milli // 2 + 1)
    assert looked(node("a", used=half), seen=seen).fragmentation == [(("MI300X",), 0.0)]
    assert looked(node("a", used=less), seen=seen).fragmentation == [(("MI300X",), 1.0)]
    assert looked(node("a", used=Resources(cpu_milli=PLENTY.cpu_milli + 1)), seen={(0, GIB, 1): 1}).fragmentation == [
        (("MI300X",), 0.0)
    ]


def test_a_claim_that_needs_more_by_now_than_it_has_strands_nothing() -> None:
    there = Nodes([node("a", gpu(0, holders={0: OURS}))])
    found = finished(CapacityGauges(lambda _: 200 * GIB).looking(there, {}))
    assert found.stranded == [(("MI300X", "inside"), 0.0)]


def test_fragmentation_weighs_shapes_by_how_often_they_were_seen() -> None:
    there = node("a", gpu(0, holders=dict.fromkeys(range(4), OURS)))
    fits, does_not = (1_000, 20 * GIB, 1), (1_000, 30 * GIB, 1)
    assert looked(there, seen={fits: 3, does_not: 1}).fragmentation == [(("MI300X",), 0.25)]
    assert looked(there).fragmentation == []
    full = node("a", gpu(0, holders=dict.fromkeys(range(8), OURS)))
    assert looked(full, seen={fits: 1}).fragmentation == []


def test_products_are_told_apart() -> None:
    both = node("a", gpu(0), gpu(1, "SPX/NPS1", product="MI325X"))
    found = looked(both, seen={(0, 100 * GIB, 1): 1})
    assert found.fragmentation == [(("MI300X",), 1.0), (("MI325X",), 0.0)]
    assert [labels for labels, _ in found.allocation] == [("MI300X",), ("MI325X",)]


def test_the_shapes_that_were_seen_most_are_those_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity_gauges, "MOST_SHAPES", 1)
    seen = {(0, 30 * GIB, 1): 2, (0, 20 * GIB, 1): 3}
    assert looked(node("a"), seen=seen).fragmentation == [(("MI300X",), 0.0)]


MODES = ("CPX/NPS4", "SPX/NPS1", "DPX/NPS1")
HOLDERS = (None, None, OURS, FOREIGN)


def some_node(name: str, rng: Random) -> Node:
    gpus = tuple(_some_gpu(number, rng) for number in range(rng.randrange(1, 4)))
    used = Resources(cpu_milli=rng.choice((0, 60_000, 127_500)))
    return node(name, *gpus, used=used)


def _some_gpu(number: int, rng: Random) -> Gpu:
    mode = rng.choice(MODES)
    count = len(gpu(number, mode).partitions)
    holders = {index: holder for index in range(count) if (holder := rng.choice(HOLDERS)) is not None}
    unhealthy = [index for index in range(count) if rng.random() < 0.1]
    return gpu(number, mode, product=rng.choice(("MI300X", "MI325X")), holders=holders, unhealthy=unhealthy)


def some_shapes(rng: Random) -> dict[Shape, int]:
    shapes = [(rng.choice((500, 1_000, 64_000)), rng.randrange(1, 200) * GIB, rng.choice((1, 1, 2))) for _ in range(6)]
    return {shape: rng.randrange(1, 9) for shape in shapes[: rng.randrange(7)]}


def anew(nodes: Nodes, seen: dict[Shape, int]) -> CapacityRows:
    return finished(CapacityGauges(NEEDS.get).looking(nodes, seen))


@pytest.mark.parametrize("seed", range(20))
def test_after_any_changes_and_looks_that_were_broken_off_the_rows_are_those_of_a_first_look(seed: int) -> None:
    rng = Random(seed)
    gauges, there, seen = CapacityGauges(NEEDS.get), Nodes(), some_shapes(rng)
    for _ in range(25):
        names = [f"n{rng.randrange(6)}" for _ in range(rng.randrange(3))]
        gone = [name for name in names if rng.random() < 0.3]
        there = there.changed((some_node(name, rng) for name in names if name not in gone), gone)
        if rng.random() < 0.4:
            seen = some_shapes(rng)
        looking = gauges.looking(there, seen)
        if rng.random() < 0.5:
            for _ in zip(range(rng.randrange(3)), looking, strict=False):
                pass
            looking.close()
        else:
            assert finished(looking) == anew(there, seen)


def test_a_node_that_stays_as_it_is_is_not_looked_at_again() -> None:
    asked: list[str] = []

    def need_of(claim: str) -> int:
        asked.append(claim)
        return GIB

    holders = [Holder("ours", f"team-a/aim-{number}") for number in range(2)]
    there = Nodes(node(f"n{number}", gpu(0, holders={0: holder})) for number, holder in enumerate(holders))
    gauges = CapacityGauges(need_of)
    finished(gauges.looking(there, {}))
    asked.clear()
    finished(gauges.looking(there.changed([node("n1", gpu(0, holders={0: holders[1]}))]), {(0, GIB, 1): 1}))
    assert asked == ["team-a/aim-1"]


def test_a_look_takes_a_step_for_each_node_that_is_another_one_or_is_to_be_measured_by_other_shapes() -> None:
    there, gauges = Nodes(node(f"n{number}") for number in range(3)), CapacityGauges(NEEDS.get)
    common, rare, large = (0, 2 * GIB, 1), (0, 4 * GIB, 1), (0, 90 * GIB, 1)

    def steps(nodes: Nodes, **seen: int) -> int:
        shapes = {"common": common, "rare": rare, "large": large}
        return sum(1 for _ in gauges.looking(nodes, {shapes[name]: count for name, count in seen.items()}))

    assert steps(there, common=9, rare=1) == 3
    assert steps(there, rare=9, common=1) == 0
    assert steps(there.changed([node("n1")]), common=9, rare=1) == 1
    assert steps(there.changed([node("n1")]), common=9, large=1) == 3
