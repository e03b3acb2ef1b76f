"""When a move of a ReplicaSet's pod is over: as many of its pods serve as it wants, whatever clocks say."""

from typing import Any

import pytest

from api.v1beta1.repartition_plan import Reservation
from controller.reconcilers.repartition_plan.reservations import down, unavailable_pods
from controller.reconcilers.repartition_plan.successors import has_left, still_needed, unsettled
from controller.runtime.client.core import PODS
from tests.builders.gpu import bdf
from tests.builders.plan import plan, reservation
from tests.controller.reconcilers.repartition_plan.plane import Plane

LONG_BEFORE, PLANNED, SHORTLY_BEFORE = "2025-12-31T20:00:00Z", "2025-12-31T23:59:00Z", "2025-12-31T23:59:58Z"
EVICTED, AFTERWARDS = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
OLD = "web-7f-old"


def moved(name: str = OLD, number: int = 1, *, evicted: str | None = EVICTED, **fields: Any) -> dict[str, Any]:
    """A pod was moved, and the whole of GPU `number` is kept."""
    known = {"pod": name, "claim": f"aim-{name}", "evictedTime": evicted, "templateHash": "7f"}
    return reservation(bdf(number), **known | fields)


class World:
    """Pods and plans as informers show them, and the ReplicaSet of these pods; `wanted` None when it is gone."""

    def __init__(self, wanted: int | None) -> None:
        self.plane, self.wanted = Plane(), wanted
        self.cluster = self.plane.fed.cluster

    def pod(self, name: str, number: int, created: str, *, ready: bool = True, **fields: Any) -> None:
        self.plane.serves(name, number, created=created, **fields)
        if not ready:
            found = self.plane.api.objects["pods", "team-a", name]
            self.plane.api.put(PODS, found | {"status": {"phase": "Running", "conditions": []}})

    def plan(self, name: str, *kept: dict[str, Any], created: str | None = PLANNED) -> None:
        made = plan(name, phase="Draining")
        made["metadata"]["creationTimestamp"] = created
        made["status"]["reservations"] = [*kept]
        self.plane.put_plan(made)

    def show(self) -> None:
        metadata = {"name": "web", "namespace": "team-a", "uid": "rs-1"}
        sets = [] if self.wanted is None else [{"metadata": metadata, "spec": {"replicas": self.wanted}}]
        self.plane.fed.listed(self.cluster.replica_sets, *sets)
        self.plane.show()

    @property
    def counted(self) -> tuple[int, int]:
        """The pods that are down, and those that are or will be at once, by the plans that there are."""
        self.show()
        plans = [*self.cluster.plan_table.values()]
        return down(self.cluster, plans), unavailable_pods(self.cluster, plans)

    def needed(self, *kept: dict[str, Any]) -> list[str]:
        """The pods whose places stay recorded."""
        self.show()
        places = [Reservation.model_validate(each) for each in kept]
        return [each.pod for each in still_needed(self.cluster, places, places)]


def test_a_move_is_over_once_the_controller_has_the_pods_that_it_wants() -> None:
    world = World(1)
    world.plan("p", moved())
    assert world.counted == (1, 1)
    world.pod("web-7f-new", 4, AFTERWARDS, ready=False)
    assert (world.counted, world.needed(moved())) == ((1, 1), [OLD])
    world.pod("web-7f-new", 4, AFTERWARDS)
    assert (world.counted, world.needed(moved())) == ((0, 0), [])


@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("created", [LONG_BEFORE, SHORTLY_BEFORE, AFTERWARDS])
def test_a_pod_that_came_because_more_are_wanted_ends_no_move(created: str, number: int) -> None:
    """From wherever it serves: from the kept place, too."""
    world = World(2)
    world.plan("p", moved())
    world.pod("web-7f-more", number, created)
    assert world.counted == (1, 1)
    world.pod("web-7f-new", 5, AFTERWARDS)
    assert world.counted == (0, 0)


@pytest.mark.parametrize("evicted", ["2025-12-31T23:00:00Z", "2026-01-01T01:00:00Z"])
def test_a_clock_that_is_wrong_changes_nothing(evicted: str) -> None:
    world = World(2)
    world.plan("p", moved(evicted=evicted))
    world.pod("web-7f-sibling", 4, "2025-12-31T23:30:00Z")
    assert world.counted == (1, 1)
    world.pod("web-7f-new", 5, AFTERWARDS, ready=False)
    assert world.counted == (1, 1)
    world.pod("web-7f-new", 5, AFTERWARDS)
    assert world.counted == (0, 0)


@pytest.mark.parametrize("wanted", [0, None])
def test_who_wants_no_pod_or_is_gone_waits_for_none(wanted: int | None) -> None:
    world = World(wanted)
    world.plan("p", moved())
    assert (world.counted, world.needed(moved())) == ((0, 0), [])


def test_one_that_wants_fewer_waits_for_no_more_than_those() -> None:
    world = World(3)
    world.plan("p", moved())
    world.pod("web-7f-a", 4, LONG_BEFORE)
    assert world.counted == (1, 1)
    world.wanted = 1
    assert world.counted == (0, 0)


def test_a_pod_is_down_once_however_often_it_was_moved() -> None:
    world = World(1)
    world.plan("first", moved())
    world.plan("second", moved("web-7f-next", 2, evicted=None))
    world.pod("web-7f-next", 4, AFTERWARDS)
    assert world.counted == (0, 1), "its successor may leave: or it and the budget would wait for each other"
    world.plan("second", moved("web-7f-next", 2))
    assert world.counted == (1, 1), "the watch may show it as it was"
    del world.plane.api.objects["pods", "team-a", "web-7f-next"]
    assert world.counted == (1, 1)
    world.pod("web-7f-third", 5, AFTERWARDS)
    assert world.counted == (0, 0)


def test_a_sibling_that_is_to_leave_serves_until_it_has_left() -> None:
    world = World(2)
    world.plan("first", moved())
    world.plan("second", moved("web-7f-sibling", 2, evicted=None))
    world.pod("web-7f-sibling", 4, LONG_BEFORE)
    assert world.counted == (1, 2)


def test_an_eviction_whose_record_was_lost_counts() -> None:
    world = World(2)
    world.pod(OLD, 3, LONG_BEFORE)
    world.pod("web-7f-sibling", 4, LONG_BEFORE)
    world.plan("p", moved(evicted=None))
    assert world.counted == (0, 1)
    del world.plane.api.objects["pods", "team-a", OLD]
    assert world.counted == (1, 1)


@pytest.mark.parametrize(("created", "want"), [(LONG_BEFORE, (0, 0)), (PLANNED, (1, 1)), (AFTERWARDS, (1, 1))])
def test_a_pod_that_did_not_serve_before_the_plan_is_not_lacked_for_its_sake(
    created: str, want: tuple[int, int]
) -> None:
    """A service that never has all of its pods would keep every budget."""
    world = World(3)
    world.plan("p", moved())
    world.pod("web-7f-a", 4, LONG_BEFORE)
    world.pod("web-7f-ill", 5, created, ready=False)
    assert world.counted == (1, 1)
    world.pod("web-7f-new", 1, AFTERWARDS)
    assert world.counted == want


def test_the_same_of_a_place_that_no_plan_keeps() -> None:
    world = World(2)
    world.pod("web-7f-ill", 5, LONG_BEFORE, ready=False)
    world.pod("web-7f-new", 1, AFTERWARDS)
    assert world.needed(moved()) == [OLD]


def test_of_moves_by_several_plans_the_first_plan_counts() -> None:
    world = World(3)
    world.plan("first", moved())
    world.plan("second", moved("web-7f-b", 2), created=AFTERWARDS)
    world.pod("web-7f-new", 5, EVICTED, ready=False)
    world.pod("web-7f-a", 4, LONG_BEFORE)
    assert world.counted == (2, 2)


@pytest.mark.parametrize("changes", [{"deletionTimestamp": AFTERWARDS}, {"uid": "another"}])
def test_pods_that_end_or_are_of_another_of_its_name_do_not_count(changes: dict[str, Any]) -> None:
    world = World(2)
    world.plan("p", moved())
    for name, number, ready in (("web-7f-a", 4, True), ("web-7f-ill", 5, False)):
        world.pod(name, number, LONG_BEFORE, ready=ready, owner=changes.get("uid", "rs-1"))
        found = world.plane.api.objects["pods", "team-a", name]
        world.plane.api.put(PODS, found | {"metadata": found["metadata"] | changes})
    assert world.counted == (1, 1)


def test_more_pods_than_are_wanted_are_as_good_as_enough() -> None:
    world = World(1)
    world.plan("p", moved(), moved("web-7f-b", 2))
    world.pod("web-7f-new", 4, AFTERWARDS)
    world.pod("web-7f-more", 5, AFTERWARDS)
    assert world.counted == (0, 0)


def test_while_the_replica_sets_are_not_listed_successors_are_looked_for() -> None:
    world = World(None)
    world.plan("p", moved())
    world.plane.show()
    assert down(world.cluster, world.cluster.plan_table.values()) == 1
    world.pod("web-7f-new", 1, AFTERWARDS)
    world.plan("p", moved(templateHash=""))
    world.plane.show()
    assert down(world.cluster, world.cluster.plan_table.values()) == 0


def test_an_old_revisions_pod_that_hands_over_has_its_successor_in_its_place() -> None:
    """More of the new revision's pods wait for such places, one after the other."""
    world = World(2)
    kept = Reservation.model_validate(moved("earlier-6e-old", 1, templateHash=""))
    world.pod("web-7f-waits", 4, LONG_BEFORE, ready=False)
    world.pod("web-7f-heir", 1, LONG_BEFORE)
    world.show()
    assert unsettled(world.cluster, [kept], only_if=has_left) == []
