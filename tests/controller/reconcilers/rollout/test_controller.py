"""A handover step by step: the place on record, the eviction, the next one; and a crash in between."""

from typing import Any, cast

from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.reconcilers.repartition_plan.reservations import down
from controller.reconcilers.rollout.controller import HandoverReconciler
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES, PODS, REPLICA_SETS
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES
from controller.state.revisions import REVISION
from controller.telemetry.instruments import SCHEDULER_EVICTIONS
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.demand import demand
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.controller.reconcilers.unhealthy.test_controller import EvictingApi
from tests.fakes.clock import FakeClock
from tests.fakes.counted import Counted

WAITING = Request("team-a", "aim-new")


def replica_set(name: str, number: int) -> dict[str, Any]:
    owner = {"kind": "Deployment", "name": "chat", "uid": "uid-deployment", "controller": True}
    metadata = {"name": name, "namespace": "team-a", "uid": f"uid-{name}", "annotations": {REVISION: str(number)}}
    return {"metadata": metadata | {"ownerReferences": [owner]}}


def made_by(name: str) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": name, "uid": f"uid-{name}", "controller": True}
    return {"ownerReferences": [owner], "labels": {"pod-template-hash": name}}


class Cluster:
    """Two old pods hold both partitions of the only GPU; one of the newest revision waits."""

    def __init__(self, rollout: str = "Handover") -> None:
        self.api, self.clock = EvictingApi(), FakeClock()
        self.told: list[str] = []
        self.count = 1
        for resource, obj in (
            (NODES, node_object()),
            (GPU_NODES, gpu_node("worker-0", gpu(0, "DPX/NPS1"))),
            (GPU_SHARING_POLICIES, policy_object(rollout=rollout)),
            (REPLICA_SETS, replica_set("chat-1", 1)),
            (REPLICA_SETS, replica_set("chat-2", 2)),
            (PODS, pod("new", claim="aim-new", metadata=made_by("chat-2"))),
            (GPU_PARTITION_CLAIMS, claim("aim-new", pod="new")),
        ):
            self.api.put(resource, obj)
        for index, name in enumerate(("old-a", "old-b")):
            self.add_pod(name, "chat-1", index)
        self.crash()

    def add_pod(self, name: str, owner: str, index: int, *, ready: bool = True) -> None:
        made = pod(name, claim=f"aim-{name}", gates=(), node="worker-0", phase="Running", metadata=made_by(owner))
        made["status"]["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]
        self.api.put(PODS, made)
        held = bound_claim(f"aim-{name}", index=index, pod=name, phase="Allocated")
        self.api.put(GPU_PARTITION_CLAIMS, held)

    def crash(self) -> None:
        """Another process takes over."""
        self.fed = FedCluster(self.clock)
        cluster = self.fed.cluster
        self.cycle = PlacementCycle(cluster, ModelScheduler(), self.clock, lambda _: None)
        recorder = cast("EventRecorder", self)
        client = cast("Client", self.api)
        self.counting = Counted()
        counts, scheduler = self.counting.counts(), ModelScheduler()
        self.reconciler = HandoverReconciler(client, cluster, self.cycle, recorder, self.clock, scheduler, counts)
        self.show()
        self.show()

    def record(self, regarding: dict[str, Any], kind: str, reason: str, note: str, action: str) -> None:
        self.told.append(f"{regarding['metadata']['name']} {reason}")

    def show(self) -> None:
        cluster = self.fed.cluster
        for informer, resource in (
            (cluster.nodes, NODES),
            (cluster.gpu_nodes, GPU_NODES),
            (cluster.policies, GPU_SHARING_POLICIES),
            (cluster.replica_sets, REPLICA_SETS),
            (cluster.pods, PODS),
            (cluster.claims, GPU_PARTITION_CLAIMS),
        ):
            self.fed.listed(informer, *self.api.of(resource))
        self.fed.beat("worker-0")
        self.cycle.submit(demand("aim-new", 16, count=self.count, owner="uid-chat-2", template_hash="chat-2"))
        self.cycle.decide(retry=True)

    async def step(self) -> Result:
        self.show()
        return await self.reconciler.reconcile(WAITING)

    @property
    def kept(self) -> list[dict[str, Any]]:
        (stored,) = self.api.of(GPU_NODES)
        return list(stored["spec"].get("reservations") or ())


async def test_the_place_is_on_record_before_the_old_pod_is_evicted() -> None:
    cluster = Cluster()
    await cluster.step()
    assert cluster.api.writes == ["patch gpunodes"]
    (kept,) = cluster.kept
    assert (kept["pod"], kept["owner"], kept["templateHash"]) == ("old-a", "uid-chat-2", "chat-2")
    await cluster.step()
    assert cluster.api.writes == ["patch gpunodes", "evict pods"]
    assert cluster.told == ["new Handover", "old-a HandedOver"]
    assert cluster.counting.of(SCHEDULER_EVICTIONS) == [("Rollout",)]


async def test_after_a_crash_the_pod_on_record_goes_and_no_other() -> None:
    cluster = Cluster()
    await cluster.step()
    cluster.crash()
    await cluster.step()
    names = {each["metadata"]["name"] for each in cluster.api.of(PODS)}
    assert names == {"old-b", "new"}


async def test_a_disruption_budget_is_asked_again_and_nobody_else_goes() -> None:
    cluster = Cluster()
    await cluster.step()
    cluster.api.refuses = True
    assert (await cluster.step()).requeue_after is not None
    assert "new HandoverRefused" in cluster.told
    assert cluster.counting.of(SCHEDULER_EVICTIONS) == []
    cluster.api.refuses = False
    await cluster.step()
    assert len(cluster.api.of(PODS)) == 2


async def test_the_next_pod_goes_when_the_last_ones_heir_serves() -> None:
    cluster = Cluster()
    cluster.add_pod("old-a", "chat-2", 0, ready=False)  # the heir of an earlier one
    await cluster.step()
    assert cluster.api.writes == []
    cluster.add_pod("old-a", "chat-2", 0)
    await cluster.step()
    assert [kept["pod"] for kept in cluster.kept] == ["old-b"]


async def test_without_the_policy_nobody_hands_over() -> None:
    cluster = Cluster("RollingUpdate")
    for _ in range(3):
        await cluster.step()
    assert cluster.api.writes == []


async def test_every_partition_that_the_new_pod_gets_is_kept_and_is_one_pod_down() -> None:
    cluster = Cluster()
    cluster.api.put(GPU_NODES, gpu_node("worker-0", gpu(0, unhealthy=range(4, 8))))
    cluster.count = 3
    await cluster.step()
    assert [(kept["pod"], kept["bdf"], kept["partition"]) for kept in cluster.kept] == [
        ("old-a", bdf(0), index) for index in (0, 2, 3)
    ]
    await cluster.step()
    assert cluster.api.writes == ["patch gpunodes", "evict pods"]
    cluster.show()
    assert down(cluster.fed.cluster, ()) == 1
