"""How long claims take to their stages, as the watch shows it."""

from datetime import timedelta
from typing import Any

import pytest

from controller.state.claim_stages import ClaimStages
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster


class Scene:
    def __init__(self) -> None:
        self.fed = FedCluster()
        self.told: list[tuple[str, float]] = []
        cluster = self.fed.cluster
        stages = ClaimStages(
            cluster.claim_table, self.fed.clock, lambda stage, seconds: self.told.append((stage, seconds))
        )
        cluster.claims.add_handler(stages.take)

    def put(self, obj: dict[str, Any], *, age: float = 0.0) -> None:
        self.fed.put(self.fed.cluster.claims, self.aged(obj, age))

    def aged(self, obj: dict[str, Any], age: float) -> dict[str, Any]:
        created = (self.fed.clock.now() - timedelta(seconds=age)).replace(microsecond=0)
        return obj | {"metadata": obj["metadata"] | {"creationTimestamp": created.isoformat()}}

    def wait(self, seconds: float) -> None:
        self.fed.clock.set(self.fed.clock.now() + timedelta(seconds=seconds))


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.fed.listed(made.fed.cluster.claims)
    return made


def test_each_stage_is_told_once_with_the_time_since_the_claim_was_made(scene: Scene) -> None:
    scene.wait(0.7)  # what the API server notes is a whole second
    scene.put(claim())
    scene.wait(0.25)
    scene.put(bound_claim())
    scene.wait(1.5)
    scene.put(bound_claim(phase="Allocated"))
    scene.put(bound_claim(phase="Released"))
    assert [(stage, round(seconds, 6)) for stage, seconds in scene.told] == [("bound", 0.25), ("allocated", 1.75)]


def test_a_claim_that_is_bound_again_is_told_once(scene: Scene) -> None:
    for obj in (claim(), bound_claim(), claim(), bound_claim(index=1)):
        scene.put(obj)
        scene.wait(1)
    assert scene.told == [("bound", 1.0)]


def test_stages_that_were_missed_are_told_by_the_next_one(scene: Scene) -> None:
    scene.put(claim())
    scene.wait(3)
    scene.put(bound_claim(phase="Allocated"))
    assert scene.told == [("bound", 3.0), ("allocated", 3.0)]


def test_what_was_reached_before_anybody_watched_is_not_told() -> None:
    scene = Scene()
    pending = scene.aged(claim("b"), 60)
    listed = (scene.aged(bound_claim("a"), 60), pending, scene.aged(bound_claim("c", phase="Allocated"), 60))
    scene.fed.listed(scene.fed.cluster.claims, *listed)
    assert scene.told == []
    scene.wait(5)
    scene.put(bound_claim("a", phase="Allocated"), age=65)
    scene.put(bound_claim("b"), age=65)
    assert scene.told == [("allocated", 65.0), ("bound", 65.0)]


def test_a_claim_that_was_made_while_the_watch_was_broken_counts_from_its_making(scene: Scene) -> None:
    scene.wait(100)
    scene.put(bound_claim(), age=30)
    assert scene.told == [("bound", 30.0)]


def test_only_what_is_older_than_a_note_of_whole_seconds_can_make_it_counts_from_its_making(scene: Scene) -> None:
    scene.wait(100)
    for name, age in (("a", 2), ("b", 3)):
        scene.put(bound_claim(f"aim-{name}"), age=age)
    assert scene.told == [("bound", 0.0), ("bound", 3.0)]


def test_a_claim_that_is_gone_is_forgotten(scene: Scene) -> None:
    scene.put(claim())
    scene.fed.drop(scene.fed.cluster.claims, claim())
    scene.wait(5)
    scene.put(claim())
    scene.wait(1)
    scene.put(bound_claim())
    assert scene.told == [("bound", 1.0)]


def test_another_claim_of_the_same_name_has_its_own_time(scene: Scene) -> None:
    scene.put(claim())
    scene.put(bound_claim())
    scene.wait(10)
    scene.put(claim(uid="another"))
    scene.wait(2)
    scene.put(bound_claim(uid="another"))
    scene.fed.drop(scene.fed.cluster.claims, claim(uid="another"))
    scene.put(claim())
    scene.wait(4)
    scene.put(bound_claim())
    assert scene.told == [("bound", 0.0), ("bound", 2.0), ("bound", 4.0)]
