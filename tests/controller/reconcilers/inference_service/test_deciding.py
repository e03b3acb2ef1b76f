"""Wishes for larger partitions: how slowly they are followed, by which way, and what is told."""

from datetime import timedelta
from typing import Any

import pytest

from api.group import GANG, PARTITION_MIN_MEMORY
from api.v1beta1.inference_service import UpdateStrategy
from controller.reconcilers.inference_service.backend import annotations_for
from controller.reconcilers.inference_service.resizing import granted_bytes
from tests.builders.gpu import GIB, bdf, gpu
from tests.controller.reconcilers.inference_service.wishes import AUTO, DOWN, EIGHTH, HALF, REST, UP, WISH, Wishes

LITTLE = timedelta(seconds=30)


def wishing(*gpus: Any, wish: dict[str, Any] | None = None, pods: int = 1, **spec: Any) -> Wishes:
    world = Wishes(*gpus, pods=pods, **spec)
    world.wish = wish or WISH
    return world


def larger(**fields: Any) -> Wishes:
    """One whose wish was followed, and whose pod serves from half a GPU."""
    world = wishing(**fields)
    world.looks(UP)
    world.moves("chat-0", 1, 0, HALF)
    return world


def test_a_wish_that_lasts_moves_the_service_beside_its_pod() -> None:
    world = wishing()
    decided = world.looks(UP - LITTLE)
    assert (decided.step.applied and decided.step.applied.strategy, granted_bytes(world.service)) == (None, 0)
    assert decided.resized is not None
    assert decided.resized[:2] == ("False", "NotYet")

    decided = world.look(LITTLE)
    assert decided.step.applied is not None
    assert decided.step.applied.strategy is UpdateStrategy.SURGE
    assert [place.bdf for place in world.places()] == [bdf(1)]
    assert annotations_for(decided.made_of)[PARTITION_MIN_MEMORY] == "80Gi"
    assert granted_bytes(world.service) == 80 * GIB
    assert decided.resized == (
        "False",
        "RollingOut",
        "the pods move to partitions of at least 80.0 GiB: new pods have places, and take the old ones' turn",
    )


def test_a_wish_that_says_since_when_it_lasts_counts_from_then() -> None:
    world = wishing(wish=WISH | {"since": "2025-12-31T23:00:00Z"})
    assert world.look().step.applied is not None
    assert granted_bytes(world.service) == 80 * GIB


def test_once_it_has_moved_it_says_so_and_stays() -> None:
    world = larger()
    decided = world.looks(DOWN)
    assert decided.resized == ("True", "Larger", "each partition has at least 80.0 GiB, as was wanted")
    assert world.applied is not None
    assert (world.applied.strategy, granted_bytes(world.service)) == (None, 80 * GIB)


def test_once_the_wish_is_over_for_long_it_goes_back() -> None:
    world = larger()
    world.wish = None
    decided = world.looks(DOWN - LITTLE)
    assert granted_bytes(world.service) == 80 * GIB
    assert decided.resized is not None
    assert decided.resized[:2] == ("True", "Larger")
    decided = world.look(LITTLE)
    assert world.applied is not None
    assert world.applied.strategy is UpdateStrategy.SURGE
    assert [place.bdf for place in world.places()] == [bdf(0)]
    assert (granted_bytes(world.service), PARTITION_MIN_MEMORY in annotations_for(decided.made_of)) == (0, False)


def test_it_does_not_go_back_to_partitions_that_are_no_smaller() -> None:
    world = larger()
    for index in range(1, 8):
        world.taken(0, index, EIGHTH)
    world.taken(0, 0, EIGHTH)
    world.wish = None
    decided = world.looks(DOWN + LITTLE)
    assert (granted_bytes(world.service), decided.step.blocked) == (80 * GIB, None)
    assert decided.resized is not None
    assert decided.resized[:2] == ("True", "NothingSmaller")


def test_a_wish_that_is_back_before_that_changes_nothing() -> None:
    world = larger()
    for _ in range(6):
        world.wish = None
        world.looks(DOWN / 2)
        world.wish = WISH
        world.looks(UP * 2)
    assert granted_bytes(world.service) == 80 * GIB
    assert world.applied is not None
    assert world.applied.strategy is None


def test_after_a_resize_the_next_one_waits() -> None:
    world = larger()
    world.wish = WISH | {"wantMemory": "150Gi"}
    world.fed.add_node("worker-1", gpu(0, "SPX/NPS1"))
    world.fed.beat("worker-1")
    world.looks(REST - LITTLE * 2)
    assert granted_bytes(world.service) == 80 * GIB


def test_an_operator_that_takes_over_goes_on_from_the_status() -> None:
    world = larger()
    world.restart()
    assert world.looks(UP).resized == ("True", "Larger", "each partition has at least 80.0 GiB, as was wanted")
    world.wish = None
    world.looks(DOWN / 2)
    world.restart()
    world.looks(DOWN / 2)
    assert granted_bytes(world.service) == 80 * GIB


def test_where_no_partition_is_that_large_it_serves_on_and_says_why() -> None:
    world = wishing(EIGHTH)
    decided = world.looks(UP)
    assert decided.step.held
    assert decided.step.blocked is not None
    assert "generation 2 serves on" in decided.step.blocked.message
    assert decided.resized is not None
    assert decided.resized[:2] == ("False", decided.step.blocked.reason)


@pytest.mark.parametrize(
    ("pods", "want"),
    [
        pytest.param(1, (None, "WouldInterrupt"), id="the only pod serves on"),
        pytest.param(2, (UpdateStrategy.ONE_BY_ONE, None), id="one of two goes first"),
    ],
)
def test_nobody_is_left_without_a_pod_for_it(pods: int, want: tuple[UpdateStrategy | None, str | None]) -> None:
    world = wishing(pods=pods)
    room = {"cpu": "128", "memory": "2048Gi", "pods": str(pods)}
    world.fed.add_node("worker-0", EIGHTH, HALF, allocatable=room)
    step = world.looks(UP).step
    assert step.applied is not None
    assert (step.applied.strategy, step.blocked and step.blocked.reason) == want


def test_partitions_that_are_large_enough_by_chance_are_kept() -> None:
    world = wishing()
    world.serves("chat-0", 1, 0, HALF)
    decided = world.looks(UP * 2)
    assert (decided.step.held, granted_bytes(world.service)) == (False, 0)
    assert decided.resized is not None
    assert decided.resized[1] == "LargeEnough"


def test_a_change_of_the_spec_goes_on_where_the_wish_finds_no_place() -> None:
    world = wishing(EIGHTH)
    world.looks(UP)
    world.spec |= {
        "gpuSharing": AUTO | {"policyRef": None},
        "predictor": {"containers": [{"name": "kserve-container"}]},
    }
    before = world.applied
    decided = world.look(LITTLE)
    assert (decided.step.held, world.applied == before) == (False, False)
    assert granted_bytes(world.service) == 0


def test_a_change_of_the_spec_keeps_the_size_that_was_wanted() -> None:
    world = larger()
    world.spec |= {"predictor": {"containers": [{"name": "kserve-container", "image": "other"}]}}
    decided = world.look(LITTLE)
    assert not decided.step.held
    assert annotations_for(decided.made_of)[PARTITION_MIN_MEMORY] == "80Gi"
    assert granted_bytes(world.service) == 80 * GIB


@pytest.mark.parametrize(
    ("spec", "wish", "want"),
    [
        pytest.param({"partition": {}}, {}, "ResizeNever", id="not asked for"),
        pytest.param(AUTO | {"isolation": "cooperative", "shareGroup": "g"}, {}, "SharedPartition", id="a share group"),
        pytest.param(AUTO, {"wantMemory": None}, "NothingWanted", id="a wish for nothing"),
        pytest.param(AUTO, {"wantMemory": None, "wantComputeUnits": 500}, "NoSuchPartition", id="more than a GPU has"),
        pytest.param(AUTO, {"wantMemory": "16Gi"}, "LargeEnough", id="less than sizing finds"),
        pytest.param(
            {"partition": {"resize": "Auto", "minMemory": "90Gi"}}, {}, "LargeEnough", id="less than the spec wants"
        ),
    ],
)
def test_what_is_not_followed_is_told(spec: dict[str, Any], wish: dict[str, Any], want: str) -> None:
    world = wishing(wish=WISH | wish, gpuSharing=spec)
    decided = world.looks(UP)
    assert decided.resized is not None
    assert decided.resized[:2] == ("False", want)
    assert granted_bytes(world.service) == 0


def test_pods_of_a_gang_are_not_resized() -> None:
    world = wishing()
    world.serves("chat-0", 0, 0, EIGHTH, annotations={GANG: "ranks"})
    decided = world.looks(UP)
    assert decided.resized is not None
    assert decided.resized[:2] == ("False", "GangMember")


def test_compute_units_are_asked_for_as_memory() -> None:
    world = wishing(wish=WISH | {"wantMemory": None, "wantComputeUnits": 100})
    world.looks(UP)
    assert 48 * GIB < granted_bytes(world.service) < 50 * GIB
    assert [place.bdf for place in world.places()] == [bdf(1)]


def test_nobody_wishes_anything_and_nothing_is_told() -> None:
    world = Wishes()
    assert world.looks(UP).resized is None
