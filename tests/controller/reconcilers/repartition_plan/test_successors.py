"""When a move is over: as many successors serve as pods were moved, from the places kept for them or from others."""

from typing import Any

import pytest

from api.v1beta1.repartition_plan import Reservation
from controller.reconcilers.repartition_plan.successors import EARLIER_SECONDS, has_left, still_needed, unsettled
from controller.reconcilers.unhealthy.kept import pods_of
from tests.builders.gpu import bdf
from tests.builders.plan import reservation
from tests.controller.reconcilers.repartition_plan.plane import Plane, held

EVICTED, AFTERWARDS, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:01:00Z"
BY_PLUGIN = {
    "phase": "Bound",
    "allocation": {
        "node": "worker-0",
        "binding": "DevicePlugin",
        "devices": [],
        "resource": {"name": "amd.com/spx_nps1", "mode": "SPX/NPS1", "bytes": 1},
    },
}


def moved(number: int = 1, *, evicted: str | None = EVICTED, **fields: Any) -> Reservation:
    """A pod was moved, and the whole of GPU `number` is kept for its successor."""
    known = {"claim": f"aim-old-{number}", "evictedTime": evicted} | fields
    return Reservation.model_validate(reservation(bdf(number), **known))


def left(plane: Plane, *kept: Reservation) -> list[str]:
    """The GPUs of the places whose successors do not serve yet."""
    plane.show()
    return [one.bdf for one in unsettled(plane.fed.cluster, kept)]


@pytest.mark.parametrize(
    ("pod", "want"),
    [
        pytest.param({"number": 1}, [], id="from its place"),
        pytest.param({"number": 2, "created": AFTERWARDS}, [], id="from another place"),
        pytest.param({"created": AFTERWARDS, "status": BY_PLUGIN}, [], id="from what the kubelet chose, not told yet"),
        pytest.param({"number": 2}, [bdf(1)], id="one that was there before"),
        pytest.param({"number": 2, "created": AFTERWARDS, "owner": "rs-2"}, [bdf(1)], id="of another controller"),
        pytest.param({"number": 1, "owner": "rs-2"}, [bdf(1)], id="of another controller, from its place"),
        pytest.param({"number": 2, "created": AFTERWARDS, "owner": None}, [bdf(1)], id="of none"),
        pytest.param({"name": "old-1", "created": AFTERWARDS}, [bdf(1)], id="the pod that was moved"),
    ],
)
def test_who_counts_as_the_successor(pod: dict[str, Any], want: list[str]) -> None:
    plane = Plane()
    plane.serves(**{"name": "new"} | pod)
    assert left(plane, moved()) == want


@pytest.mark.parametrize(("template", "want"), [("", []), ("abc", [bdf(1)])])
def test_one_of_another_revision_is_no_successor(template: str, want: list[str]) -> None:
    plane = Plane()
    plane.serves("new", 2, created=AFTERWARDS)
    assert left(plane, moved(templateHash=template)) == want


@pytest.mark.parametrize("condition", ["False", "Unknown"])
def test_one_that_does_not_serve_yet_is_waited_for(condition: str) -> None:
    plane = Plane()
    plane.serves("new", 2, created=AFTERWARDS)
    plane.ready("new", condition)
    assert left(plane, moved()) == [bdf(1)]


def test_each_successor_counts_for_one() -> None:
    plane = Plane()
    plane.serves("new-1", 4, created=AFTERWARDS)
    both = moved(1), moved(2)
    assert len(left(plane, *both)) == 1
    plane.serves("new-2", 5, created=AFTERWARDS)
    assert left(plane, *both) == []


def test_one_that_came_late_is_not_used_up_by_an_early_move() -> None:
    plane = Plane()
    plane.serves("early", 4, created=AFTERWARDS)
    plane.serves("late", 5, created=LATER)
    assert left(plane, moved(1), moved(2, evicted=LATER)) == []


def test_one_that_serves_from_a_place_does_not_count_for_another() -> None:
    plane = Plane()
    plane.serves("new", 1, created=AFTERWARDS)
    assert left(plane, moved(2), moved(1)) == [bdf(2)]


@pytest.mark.parametrize(("seconds", "want"), [(0.0, []), (1.0, [bdf(1)])])
def test_a_successor_may_be_made_shortly_before_the_eviction_is_recorded(seconds: float, want: list[str]) -> None:
    plane = Plane()
    plane.serves("new", 2, created="2025-12-31T23:59:50Z")
    assert EARLIER_SECONDS == 10.0
    assert left(plane, moved(evicted=f"2026-01-01T00:00:0{seconds:.0f}Z")) == want


SHORTLY_BEFORE = "2025-12-31T23:59:58Z"


@pytest.mark.parametrize("only_evicted", [False, True])
def test_a_sibling_that_was_there_and_is_to_leave_itself_is_nobodys_successor(*, only_evicted: bool) -> None:
    plane = Plane()
    plane.serves("sibling", 2, created=SHORTLY_BEFORE)
    assert left(plane, moved(1)) == []
    gone, next_one = moved(1), moved(3, claim="aim-sibling", evicted=None)
    only_if = has_left if only_evicted else lambda _: True
    waiting = unsettled(plane.fed.cluster, [gone, next_one], only_if=only_if)
    assert waiting == ([gone] if only_evicted else [gone, next_one])
    assert still_needed(plane.fed.cluster, [gone, next_one], [gone, next_one]) == [gone]


def test_a_successor_that_is_to_leave_later_settles_its_move_so_that_it_may_leave() -> None:
    """Or it would wait for the budget of one pod, and the budget for it."""
    plane = Plane()
    plane.serves("successor", 2, created=EVICTED)
    plane.show()
    first, second = moved(1, evicted="2026-01-01T00:00:00.9Z"), moved(3, claim="aim-successor", evicted=None)
    assert unsettled(plane.fed.cluster, [first, second], only_if=has_left) == []
    assert still_needed(plane.fed.cluster, [first, second], [first]) == []


def test_a_sibling_that_is_to_leave_keeps_a_move_open_only_until_another_serves() -> None:
    plane = Plane()
    plane.serves("sibling", 2, created=SHORTLY_BEFORE)
    plane.serves("new", 4, created=AFTERWARDS)
    assert left(plane, moved(1), moved(3, claim="aim-sibling", evicted=None)) == [bdf(3)]


def test_places_of_one_controller_are_given_up_together() -> None:
    """If one went alone, its successor would be counted for the other at the next look."""
    plane = Plane()
    plane.serves("new-1", 1, created=AFTERWARDS)
    theirs, mine, other = moved(1), moved(2), moved(3, owner="rs-9", evicted=None)
    plane.show()
    assert still_needed(plane.fed.cluster, [theirs, mine, other], [mine, other]) == [mine]
    assert still_needed(plane.fed.cluster, [theirs, mine, other], [theirs]) == [theirs]
    plane.serves("new-2", 5, created=AFTERWARDS)
    plane.show()
    assert still_needed(plane.fed.cluster, [theirs, mine, other], [mine, other]) == []


def test_a_place_is_served_by_a_claim_that_holds_it() -> None:
    plane = Plane()
    plane.serves("new", 1, status=held(1) | {"phase": "Released"}, created=AFTERWARDS)
    assert left(plane, moved()) == [bdf(1)]


def test_the_places_of_one_pod_of_several_partitions_are_one_successors() -> None:
    plane = Plane()
    pair = moved(1, claim="aim-old"), moved(2, claim="aim-old")
    assert (left(plane, *pair), pods_of(plane.fed.cluster, pair)) == ([bdf(1), bdf(2)], 1)
    plane.serves("new", 1)
    assert left(plane, *pair, moved(3)) == [bdf(3)]
