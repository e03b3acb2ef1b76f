"""The annotation is written on stored pods, in few writes and with pauses."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller.reconcilers.rollout.deletion_cost import ANNOTATION, FIRST
from controller.reconcilers.rollout.scaling_in import PAUSE_SECONDS, DeletionCostReconciler, sets_beside
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS
from controller.runtime.reconcile import Request, Result
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.pod import pod
from tests.fakes.api_server import FakeApiServer

SET = Request("team-a", "chat-1")


def member(name: str) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": "chat-1", "uid": "uid-chat-1", "controller": True}
    return pod(name, claim=f"aim-{name}", gates=(), node="worker-0", metadata={"ownerReferences": [owner]})


@pytest.fixture
async def world() -> AsyncIterator[tuple[FakeApiServer, FedCluster, DeletionCostReconciler]]:
    """Pod a shares GPU 0 with another model; pod b is alone on GPU 1."""
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url)) as client:
        api.serve(PODS)
        fed = FedCluster()
        fed.add_node("worker-0", gpu(0), gpu(1))
        for name, number in (("a", 0), ("b", 1)):
            api.put(PODS, member(name))
            fed.put(fed.cluster.pods, member(name))
            fed.put(fed.cluster.claims, bound_claim(f"aim-{name}", "worker-0", number, pod=name, phase="Allocated"))
        fed.put(fed.cluster.claims, bound_claim("aim-x", "worker-0", 0, 1, pod="x", phase="Allocated"))
        yield api, fed, DeletionCostReconciler(client, fed.cluster, fed.clock)


World = tuple[FakeApiServer, FedCluster, DeletionCostReconciler]


async def test_the_pod_that_is_alone_on_its_gpu_goes_first(world: World) -> None:
    api, _, reconciler = world
    assert await reconciler.reconcile(SET) == Result()
    assert api.objects(PODS)["team-a/b"]["metadata"]["annotations"][ANNOTATION] == FIRST
    assert ANNOTATION not in api.objects(PODS)["team-a/a"]["metadata"]["annotations"]
    assert [seen.method for seen in api.seen] == ["PATCH"]


async def test_looks_keep_a_pause(world: World) -> None:
    api, _, reconciler = world
    await reconciler.reconcile(SET)
    assert (await reconciler.reconcile(SET)).requeue_after == pytest.approx(PAUSE_SECONDS)
    assert len(api.seen) == 1


def test_a_neighbours_claim_is_a_matter_of_the_sets_on_its_node() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.pods, member("a"))
    fed.put(fed.cluster.claims, bound_claim("aim-a", pod="a", phase="Allocated"))
    beside = bound_claim("aim-x", index=1, pod="x", phase="Allocated")
    event = StoreEvent(EventType.ADDED, "team-a/aim-x", None, beside)
    assert list(sets_beside(fed.cluster)(event)) == [SET]
