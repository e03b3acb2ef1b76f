from typing import Any

import pytest

from controller.state.leaving import DOUBT_SECONDS, Leaving
from controller.translate.pod import PodView
from tests.builders.claim import claim
from tests.builders.cluster import FedCluster, Object
from tests.builders.gpu import bdf
from tests.builders.pod import pod

GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def victim(name: str = "b-0", **metadata: Any) -> Object:
    """A pod that serves on worker-0."""
    made = pod(name, gates=(), node="worker-0", phase="Running")
    return {**made, "metadata": {**made["metadata"], **metadata}}


def nomination(*names: str) -> Object:
    """A claim that waits, and for which those are to leave worker-0."""
    devices, victims = [{"bdf": bdf(0), "partition": 0}], [f"uid-{name}" for name in names]
    kept = {"node": "worker-0", "devices": devices, "reason": "Preemption", "victims": victims}
    return claim(status={"phase": "Pending", "nomination": kept | {"time": "2026-01-01T00:00:00Z"}})


@pytest.fixture
def fed() -> FedCluster:
    made = FedCluster()
    for name in ("b-0", "b-1"):
        made.put(made.cluster.pods, victim(name))
    return made


def asked(fed: FedCluster, name: str = "b-0") -> tuple[Leaving, PodView]:
    view = fed.cluster.pod_table.view(f"team-a/{name}")
    assert view is not None
    fed.cluster.leaving.ask(view)
    return fed.cluster.leaving, view


def test_a_pod_counts_from_the_moment_it_is_asked_until_it_has_gone(fed: FedCluster) -> None:
    leaving, _ = asked(fed)
    assert leaving.count() == 1
    fed.put(fed.cluster.pods, victim(**GOING))
    assert leaving.count() == 1
    fed.drop(fed.cluster.pods, victim())
    assert leaving.count() == 0


def test_a_later_pod_of_its_name_is_another(fed: FedCluster) -> None:
    leaving, _ = asked(fed)
    fed.put(fed.cluster.pods, victim(uid="uid-later"))
    assert leaving.count() == 0


def test_who_is_refused_stays(fed: FedCluster) -> None:
    leaving, view = asked(fed)
    leaving.stays(view.uid)
    assert (leaving.count(), leaving.goes(view.uid)) == (0, False)


def test_in_doubt_it_counts_and_is_to_be_asked_again(fed: FedCluster) -> None:
    leaving, view = asked(fed)
    assert leaving.goes(view.uid)
    leaving.doubt(view.uid)
    assert (leaving.count(), leaving.goes(view.uid)) == (1, False)
    assert leaving.count(but=view.uid) == 0


@pytest.mark.parametrize("late", [True, False])
def test_a_watch_that_shows_it_going_ends_the_doubt(fed: FedCluster, late: bool) -> None:
    leaving, view = asked(fed)
    if late:
        leaving.doubt(view.uid)
    fed.put(fed.cluster.pods, victim(**GOING))
    leaving.doubt(view.uid)
    assert leaving.goes(view.uid)


@pytest.mark.parametrize(("names", "count"), [((), 0), (("b-0",), 1)])
def test_a_doubt_ends_after_a_while_unless_the_eviction_is_still_wanted(
    fed: FedCluster, names: tuple[str, ...], count: int
) -> None:
    fed.put(fed.cluster.claims, nomination(*names))
    leaving, view = asked(fed)
    leaving.doubt(view.uid)
    fed.clock.tick(DOUBT_SECONDS - 1)
    assert leaving.count() == 1
    fed.clock.tick(1)
    assert leaving.count() == count


def test_those_that_an_earlier_operator_asked_are_told_by_claims_and_pods(fed: FedCluster) -> None:
    fed.put(fed.cluster.claims, nomination("b-0", "b-1"))
    for name in ("b-0", "b-2"):
        fed.put(fed.cluster.pods, victim(name, **GOING))
    assert fed.cluster.leaving.count() == 1
