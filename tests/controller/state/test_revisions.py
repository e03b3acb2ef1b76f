"""Which ReplicaSet is its Deployment's newest, as events tell of it."""

from typing import Any

from controller.state.revisions import REVISION, Revision
from tests.builders.cluster import FedCluster
from tests.builders.demand import demand


def replica_set(name: str, number: int | None, kind: str = "Deployment") -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "chat", "uid": "uid-deployment", "controller": True}
    marked = {} if number is None else {REVISION: str(number)}
    return {
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": f"uid-{name}",
            "annotations": marked,
            "ownerReferences": [owner],
        }
    }


def fed(*sets: dict[str, Any]) -> FedCluster:
    world = FedCluster()
    for each in sets:
        world.put(world.cluster.replica_sets, each)
    return world


def test_the_highest_number_is_the_newest() -> None:
    revisions = fed(replica_set("a", 1), replica_set("b", 2)).cluster.revisions
    assert revisions.of("uid-b") == Revision("uid-deployment", "chat", 2)
    assert (revisions.newest("uid-a"), revisions.newest("uid-b")) == (False, True)


def test_a_rollback_makes_an_old_one_the_newest_again() -> None:
    world = fed(replica_set("a", 1), replica_set("b", 2))
    world.put(world.cluster.replica_sets, replica_set("a", 3))
    assert (world.cluster.revisions.newest("uid-a"), world.cluster.revisions.newest("uid-b")) == (True, False)


def test_one_that_is_gone_counts_no_longer() -> None:
    world = fed(replica_set("a", 1), replica_set("b", 2))
    world.drop(world.cluster.replica_sets, replica_set("b", 2))
    assert world.cluster.revisions.newest("uid-a")


def test_of_what_no_deployment_made_nothing_is_known() -> None:
    revisions = fed(replica_set("a", None), replica_set("b", 2, kind="Rollout")).cluster.revisions
    assert revisions.of("uid-a") is revisions.of("uid-b") is None
    assert revisions.newest("uid-a")


def test_a_demand_is_marked_with_what_is_known_now() -> None:
    world = fed(replica_set("a", 1), replica_set("b", 2))
    marked = world.cluster.revisions.marked(demand(owner="uid-a"))
    assert (marked.family, marked.revision, marked.newest) == ("uid-deployment", 1, False)
    plain = demand(owner="uid-else")
    assert world.cluster.revisions.marked(plain) is plain
