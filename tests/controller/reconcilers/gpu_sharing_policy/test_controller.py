from typing import Any, cast

import pytest

from controller.reconcilers.gpu_sharing_policy.controller import ALL, PERIOD_SECONDS, PolicyStatusReconciler
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import ApiError, Conflict, NotFound
from controller.runtime.reconcile import Result
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing
from tests.fakes.clock import FakeClock


class Cluster:
    """A managed node with one policy, and the operator that counts."""

    def __init__(self) -> None:
        self.api = InMemoryApi()
        self.clock = FakeClock()
        self.api.put(NODES, node_object())
        self.api.put(GPU_NODES, gpu_node())
        self.api.put(GPU_SHARING_POLICIES, policy_object("old"))
        self.fed = FedCluster(self.clock)
        self.reconciler = PolicyStatusReconciler(cast("Client", self.api), self.fed.cluster, self.clock)

    async def look(self) -> Result:
        """A look once the period is over, with informers that are up to date."""
        self.clock.tick(PERIOD_SECONDS)
        cluster = self.fed.cluster
        for informer, resource in (
            (cluster.nodes, NODES),
            (cluster.gpu_nodes, GPU_NODES),
            (cluster.policies, GPU_SHARING_POLICIES),
            (cluster.claims, GPU_PARTITION_CLAIMS),
        ):
            self.fed.listed(informer, *self.api.of(resource))
        return await self.reconciler.reconcile(ALL)

    def status(self, name: str = "old") -> dict[str, Any]:
        (found,) = [one for one in self.api.of(GPU_SHARING_POLICIES) if one["metadata"]["name"] == name]
        return cast("dict[str, Any]", found["status"])

    def conditions(self, name: str = "old") -> dict[str, tuple[str, str]]:
        return {one["type"]: (one["status"], one["reason"]) for one in self.status(name)["conditions"]}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def test_what_a_policy_governs_is_written_once(cluster: Cluster) -> None:
    cluster.api.put(GPU_PARTITION_CLAIMS, bound_claim(phase="Allocated"))
    for _ in range(3):
        assert await cluster.look() == Result()
    assert cluster.api.writes == ["replace gpusharingpolicies"]
    size = gpu().partitions[0].bytes
    assert {key: cluster.status()[key] for key in ("nodes", "claims", "usedBytes")} == {
        "nodes": 1,
        "claims": 1,
        "usedBytes": size,
    }
    assert cluster.conditions() == {"Ready": ("True", "InForce")}


async def test_the_use_of_quotas_is_told_by_namespace(cluster: Cluster) -> None:
    cluster.api.put(GPU_SHARING_POLICIES, policy_object("old", quotas=[{"namespace": "team-a", "min": "1Gi"}]))
    cluster.api.put(GPU_PARTITION_CLAIMS, bound_claim(phase="Allocated"))
    await cluster.look()
    size = gpu().partitions[0].bytes
    assert cluster.status()["quotas"] == [{"namespace": "team-a", "usedBytes": size, "borrowedBytes": size}]


async def test_the_younger_of_two_is_told_and_told_again_when_it_is_over(cluster: Cluster) -> None:
    cluster.api.put(GPU_SHARING_POLICIES, policy_object("young", created="2026-02-01T00:00:00Z"))
    await cluster.look()
    assert cluster.conditions("young")["Conflict"] == ("True", "OlderPolicyWins")
    assert "Conflict" not in cluster.conditions("old")
    message = next(one["message"] for one in cluster.status("young")["conditions"] if one["type"] == "Conflict")
    assert "worker-0 by old" in message
    cluster.api.put(GPU_SHARING_POLICIES, policy_object("old", node_labels={"pool": "other"}))
    await cluster.look()
    assert cluster.conditions("young")["Conflict"] == ("False", "NoConflict")
    assert cluster.status("young")["nodes"] == 1


async def test_a_paused_policy_is_not_ready(cluster: Cluster) -> None:
    cluster.api.put(GPU_SHARING_POLICIES, policy_object("old", paused=True))
    await cluster.look()
    assert cluster.conditions()["Ready"] == ("False", "Paused")


async def test_a_window_in_a_time_zone_that_nobody_knows_is_told_with_its_name(cluster: Cluster) -> None:
    window = {"start": "01:00", "end": "02:00", "timezone": "Europe/Nowhere"}
    cluster.api.put(GPU_SHARING_POLICIES, policy_object("old", repartition={"windows": [window]}))
    await cluster.look()
    assert cluster.conditions()["Ready"] == ("False", "WindowInvalid")
    assert "Europe/Nowhere" in cluster.status()["conditions"][0]["message"]


async def test_a_node_that_is_not_managed_is_not_governed(cluster: Cluster) -> None:
    cluster.api.put(GPU_NODES, gpu_node(managed=False))
    await cluster.look()
    assert cluster.status()["nodes"] == 0


async def test_many_events_make_one_look_a_period(cluster: Cluster) -> None:
    await cluster.look()
    cluster.clock.tick(PERIOD_SECONDS / 2)
    assert await cluster.reconciler.reconcile(ALL) == Result(requeue_after=PERIOD_SECONDS / 2)
    assert len(cluster.api.writes) == 1


@pytest.mark.parametrize(
    ("error", "want"),
    [
        (Conflict(409, "Conflict", "moved on"), Result(requeue_after=PERIOD_SECONDS)),
        (NotFound(404, "NotFound", "gone"), Result()),
    ],
)
async def test_a_policy_that_moved_on_is_looked_at_again(cluster: Cluster, error: ApiError, want: Result) -> None:
    cluster.api.before_write = refusing("replace gpusharingpolicies", error)
    assert await cluster.look() == want
    await cluster.look()
    assert cluster.status()["nodes"] == 1
