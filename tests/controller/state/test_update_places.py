"""Places of updates count from the moment that they are decided until a status without them is seen."""

from typing import Any

from api.v1beta1.inference_service import KeptPlace
from controller.gpu.identity import PartitionId
from controller.placement.snapshot import Reservation
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf

KEY = "team-a/chat"
PLACE = KeptPlace(node="worker-0", bdf=bdf(0), partition=3)
KEPT = {("worker-0", PartitionId(bdf(0), 3)): Reservation("", service=KEY)}


def service(*places: int) -> dict[str, Any]:
    kept = [{"node": "worker-0", "bdf": bdf(0), "partition": number} for number in places]
    applied = {"hash": "h", "generation": 1, "places": kept}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "chat", "namespace": "team-a", "uid": "uid-chat"},
        "spec": {"model": {"id": "Qwen/Qwen3-4B"}},
        "status": {"applied": applied},
    }


def test_what_a_status_says_is_kept_in_the_snapshot() -> None:
    world = FedCluster()
    world.add_node("worker-0")
    world.put(world.cluster.services, service(3))
    kept = {partition.id.index for _, _, partition in world.cluster.snapshot().partitions() if partition.reservation}
    assert kept == {3}


def test_what_is_being_written_counts_already_and_no_longer_when_it_was_not() -> None:
    places = FedCluster().cluster.update_places
    places.assume(KEY, (PLACE,))
    assert places.reservations() == KEPT
    places.forget(KEY)
    assert places.reservations() == {}


def test_an_older_event_takes_nothing_back() -> None:
    world = FedCluster()
    places = world.cluster.update_places
    places.assume(KEY, (PLACE,))
    world.put(world.cluster.services, service())
    assert places.reservations() == KEPT
    world.put(world.cluster.services, service(3))
    world.put(world.cluster.services, service())
    assert places.reservations() == {}
