"""A partition breaks under a running pod: what is told, and how the pod moves."""

from typing import Any, cast

import pytest

from api.object import dump
from api.v1beta1 import GPUNode
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from controller.reconcilers.unhealthy.controller import IDLE_SECONDS, SOON_SECONDS, UnhealthyReconciler
from controller.reconcilers.unhealthy.kept import KEPT_SECONDS
from controller.reconcilers.unhealthy.moving import MOVE_AFTER_SECONDS
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import Conflict, NotFound, TooManyRequests
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.state.heartbeats import FRESH_SECONDS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, REPARTITION_PLANS
from controller.telemetry.instruments import SCHEDULER_EVICTIONS
from controller.translate.share_group import group_claim_name
from tests.builders.claim import allocation, bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plan import plan
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing
from tests.fakes.clock import FakeClock
from tests.fakes.counted import Counted

Object = dict[str, Any]
HOME, AWAY = "worker-0", "worker-1"


class EvictingApi(InMemoryApi):
    """The API server in memory, whose evicted pods are gone at once; `refuses`: a disruption budget does."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False

    async def evict(self, name: str, namespace: str, uid: str | None = None) -> None:
        if self.refuses:
            raise TooManyRequests(429, "TooManyRequests", "the budget needs 1 healthy pod")
        await self.delete(PODS, name, namespace, uid=uid)
        self.writes[-1] = "evict pods"


class Cluster:
    """Two nodes, a pod of a ReplicaSet on the first one's GPU, and the operator that looks after it."""

    def __init__(self) -> None:
        self.api = EvictingApi()
        self.clock = FakeClock()
        self.told: list[str] = []
        for name in (HOME, AWAY):
            self.api.put(NODES, node_object(name))
            self.api.put(GPU_NODES, gpu_node(name))
        self.add_pod("model-0", HOME, 0)
        self.policy(onUnhealthy="Replace")
        self.crash()

    def crash(self) -> None:
        """Another process takes over; it has heard of both agents."""
        self.fed = FedCluster(self.clock)
        recorder = cast("EventRecorder", self)
        self.counting = Counted()
        counts = self.counting.counts()
        self.reconciler = UnhealthyReconciler(cast("Client", self.api), self.fed.cluster, recorder, self.clock, counts)
        self.show()
        self.show()

    def record(self, regarding: Object, kind: str, reason: str, note: str, action: str) -> None:
        self.told.append(f"{regarding['kind']} {regarding['metadata']['name']} {reason}")

    def add_pod(self, name: str, node: str, index: int, **metadata: Any) -> None:
        """A ready pod with its allocated claim."""
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "uid-rs", "controller": True}
        made = pod(name, claim=f"aim-{name}", gates=(), node=node, phase="Running")
        made["metadata"] |= {"ownerReferences": [owner], "labels": {"pod-template-hash": "abc"}} | metadata
        made["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        self.api.put(PODS, made)
        claim = bound_claim(f"aim-{name}", node, 0, index, phase="Allocated", pod=name)
        self.api.put(GPU_PARTITION_CLAIMS, claim)

    def policy(self, **spec: Any) -> None:
        self.api.put(GPU_SHARING_POLICIES, policy_object(**spec))

    def breaks(self, *indices: int) -> None:
        """These partitions of the first node break."""
        made = gpu_node(HOME, gpu(unhealthy=indices))
        self.api.put(GPU_NODES, made | {"spec": dump(self.node(HOME).spec)})

    def show(self) -> None:
        """Every informer learns what is stored, and both agents renew their Leases."""
        cluster = self.fed.cluster
        for informer, resource in (
            (cluster.nodes, NODES),
            (cluster.gpu_nodes, GPU_NODES),
            (cluster.policies, GPU_SHARING_POLICIES),
            (cluster.plans, REPARTITION_PLANS),
            (cluster.pods, PODS),
            (cluster.claims, GPU_PARTITION_CLAIMS),
        ):
            self.fed.listed(informer, *self.api.of(resource))
        for name in (HOME, AWAY):
            self.fed.beat(name)

    async def look(self, node: str = HOME, times: int = 1) -> Result:
        """Looks of an operator whose informers are up to date."""
        for _ in range(times):
            self.show()
            result = await self.reconciler.reconcile(Request("", node))
        return result

    async def told_and_waited(self) -> None:
        """The fault is told, and lasts."""
        await self.look()
        self.clock.tick(MOVE_AFTER_SECONDS + 1)
        self.api.writes.clear()

    def node(self, name: str) -> GPUNode:
        (found,) = [raw for raw in self.api.of(GPU_NODES) if raw["metadata"]["name"] == name]
        return GPUNode.model_validate(found)

    def healthy(self, name: str = "model-0") -> tuple[str, str, str] | None:
        """Status, reason and message of a claim's condition Healthy."""
        for raw in self.api.of(GPU_PARTITION_CLAIMS):
            for one in raw["status"].get("conditions", ()) if raw["metadata"]["name"] == f"aim-{name}" else ():
                if one["type"] == "Healthy":
                    return one["status"], one["reason"], one["message"]
        return None


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def test_healthy_claims_are_not_written_to(cluster: Cluster) -> None:
    assert await cluster.look() == Result(requeue_after=IDLE_SECONDS)
    assert (cluster.api.writes, cluster.told) == ([], [])


async def test_a_broken_partition_is_told_once_and_so_is_its_recovery(cluster: Cluster) -> None:
    cluster.breaks(0)
    await cluster.look(times=3)
    status, reason, message = cluster.healthy() or ("", "", "")
    assert (status, reason) == ("False", "PartitionUnhealthy")
    assert f"{HOME} {bdf(0)}/0 is unhealthy" in message
    assert cluster.api.writes == ["replace gpupartitionclaims"]
    cluster.breaks()
    await cluster.look(times=2)
    assert (cluster.healthy() or ("",))[0] == "True"
    assert cluster.told == ["Pod model-0 PartitionUnhealthy", "Pod model-0 PartitionHealthy"]


async def test_report_tells_and_does_nothing_else(cluster: Cluster) -> None:
    cluster.policy(onUnhealthy="Report")
    cluster.breaks(0)
    await cluster.told_and_waited()
    await cluster.look(times=3)
    assert set(cluster.api.writes) <= {"replace gpupartitionclaims"}
    assert "no policy with onUnhealthy: Replace" in (cluster.healthy() or ("", "", ""))[2]


async def test_replace_quarantines_keeps_a_place_and_then_evicts(cluster: Cluster) -> None:
    cluster.breaks(0)
    await cluster.told_and_waited()
    await cluster.look()
    (entry,) = cluster.node(HOME).spec.quarantine
    assert (entry.bdf, entry.partition, entry.since) == (bdf(0), 0, cluster.clock.now())
    assert entry.mode == "CPX/NPS4"
    await cluster.look()
    (kept,) = [*cluster.node(HOME).spec.reservations, *cluster.node(AWAY).spec.reservations]
    assert (kept.owner, kept.template_hash, kept.claim) == ("uid-rs", "abc", "aim-model-0")
    assert "evict pods" not in cluster.api.writes
    assert (await cluster.look()).requeue_after == SOON_SECONDS
    assert cluster.api.writes[-1] == "evict pods"
    assert cluster.told[-2:] == [f"GPUNode {HOME} PartitionQuarantined", "Pod model-0 PodMoved"]


async def test_memory_errors_take_out_every_partition_also_of_a_gpu_that_nobody_holds(cluster: Cluster) -> None:
    made = gpu_node(AWAY, gpu(unhealthy=range(8)))
    made["status"]["gpus"][0]["ecc"] = {"uncorrectable": 1}
    cluster.api.put(GPU_NODES, made)
    await cluster.look(AWAY, times=2)
    entries = cluster.node(AWAY).spec.quarantine
    assert [(one.bdf, one.partition, one.mode) for one in entries] == [(bdf(0), i, "CPX/NPS4") for i in range(8)]


async def test_the_memory_errors_of_an_agent_that_is_silent_take_nothing_out(cluster: Cluster) -> None:
    made = gpu_node(AWAY, gpu(unhealthy=range(8)))
    made["status"]["gpus"][0]["ecc"] = {"uncorrectable": 1}
    cluster.api.put(GPU_NODES, made)
    cluster.api.put(NODES, node_object(AWAY, ready=False))
    await cluster.look(AWAY)
    assert cluster.node(AWAY).spec.quarantine == []


async def moved_once(cluster: Cluster) -> GPUNode:
    """The pod was evicted; gives the node that keeps a place for its successor."""
    cluster.breaks(0)
    await cluster.told_and_waited()
    await cluster.look(times=3)
    cluster.api.objects = {key: obj for key, obj in cluster.api.objects.items() if key[0] != "gpupartitionclaims"}
    target = next(name for name in (HOME, AWAY) if cluster.node(name).spec.reservations)
    await cluster.look(target)
    return cluster.node(target)


async def test_the_place_is_kept_until_the_successor_serves_from_it(cluster: Cluster) -> None:
    target = await moved_once(cluster)
    (kept,) = target.spec.reservations
    assert kept.evicted_time == cluster.clock.now()
    assert cluster.counting.of(SCHEDULER_EVICTIONS) == [("Unhealthy",)]
    cluster.add_pod("model-1", kept.node, kept.partition)
    await cluster.look(kept.node)
    assert cluster.node(kept.node).spec.reservations == []


@pytest.mark.parametrize(("created", "want"), [("2026-01-01T00:00:40Z", 0), ("2025-12-31T00:00:00Z", 1)])
async def test_it_is_given_up_once_a_successor_serves_from_elsewhere_not_for_one_that_was_there(
    cluster: Cluster, created: str, want: int
) -> None:
    target = await moved_once(cluster)
    (kept,) = target.spec.reservations
    elsewhere = next(name for name in (HOME, AWAY) if name != kept.node)
    cluster.add_pod("model-1", elsewhere, 5, creationTimestamp=created)
    await cluster.look(kept.node)
    assert len(cluster.node(kept.node).spec.reservations) == want


async def test_the_place_of_a_successor_that_never_comes_is_given_up(cluster: Cluster) -> None:
    target = await moved_once(cluster)
    name = target.metadata.name
    cluster.clock.tick(KEPT_SECONDS)
    await cluster.look(name)
    assert cluster.node(name).spec.reservations
    cluster.clock.tick(1)
    await cluster.look(name)
    assert cluster.node(name).spec.reservations == []


async def test_a_place_for_a_pod_that_need_not_move_any_more_is_given_up(cluster: Cluster) -> None:
    cluster.breaks(0)
    await cluster.told_and_waited()
    await cluster.look(times=2)
    target = next(name for name in (HOME, AWAY) if cluster.node(name).spec.reservations)
    cluster.breaks()
    await cluster.look(target)
    assert cluster.node(target).spec.reservations == []
    await cluster.look(times=3)
    assert "evict pods" not in cluster.api.writes


async def test_a_crash_between_any_two_looks_changes_nothing(cluster: Cluster) -> None:
    cluster.breaks(0)
    await cluster.told_and_waited()
    for _ in range(6):
        cluster.crash()
        await cluster.look()
    moves = [write for write in cluster.api.writes if write != "replace gpupartitionclaims"]
    assert moves.count("evict pods") == 1
    assert moves.index("evict pods") == 2  # after quarantine and place


async def test_the_budget_lets_one_pod_go_at_a_time(cluster: Cluster) -> None:
    cluster.add_pod("model-1", HOME, 1)
    cluster.breaks(0, 1)
    await cluster.told_and_waited()
    await cluster.look(times=8)
    assert cluster.api.writes.count("evict pods") == 1
    stays = next(
        message for name in ("model-0", "model-1") if "waits" in (message := (cluster.healthy(name) or ("",) * 3)[2])
    )
    assert "1 of repartition.maxUnavailablePods 1 pods are down or move" in stays


async def test_two_places_found_at_once_let_one_pod_go_at_a_time(cluster: Cluster) -> None:
    cluster.add_pod("model-1", HOME, 1)
    cluster.breaks(0, 1)
    await cluster.told_and_waited()
    await cluster.look(times=2)  # quarantine, and a place for the first
    (kept,) = cluster.node(HOME).spec.reservations
    other = kept.model_copy(update={"pod": "model-1", "claim": "aim-model-1", "partition": 7})
    if kept.claim == "aim-model-1":
        other = kept.model_copy(update={"pod": "model-0", "claim": "aim-model-0", "partition": 7})
    stored = cluster.node(HOME)
    spec = stored.spec.model_copy(update={"reservations": [kept, other]})
    cluster.api.put(GPU_NODES, dump(stored.model_copy(update={"spec": spec})))
    await cluster.look(times=6)
    assert cluster.api.writes.count("evict pods") == 1


async def test_a_disruption_budget_is_asked_again(cluster: Cluster) -> None:
    cluster.breaks(0)
    cluster.api.refuses = True
    await cluster.told_and_waited()
    assert ((await cluster.look(times=4)).requeue_after or 0.0) > SOON_SECONDS
    await cluster.look()
    assert "refused for now: the budget needs 1 healthy pod" in (cluster.healthy() or ("", "", ""))[2]
    assert "evict pods" not in cluster.api.writes
    cluster.api.refuses = False
    await cluster.look()
    assert cluster.api.writes[-1] == "evict pods"


@pytest.mark.parametrize(
    "hold",
    [
        pytest.param(lambda c: c.policy(onUnhealthy="Replace", paused=True), id="policy paused"),
        pytest.param(lambda c: c.api.put(REPARTITION_PLANS, plan(phase="Draining", numbers=(1,))), id="plan under way"),
    ],
)
async def test_pause_and_plans_hold_everything_up(cluster: Cluster, hold: Any) -> None:
    cluster.breaks(0)
    hold(cluster)
    await cluster.told_and_waited()
    await cluster.look(times=3)
    assert set(cluster.api.writes) <= {"replace gpupartitionclaims"}


async def test_a_silent_agent_is_told_on_the_node_once_and_moves_nobody(cluster: Cluster) -> None:
    cluster.breaks(0)
    await cluster.told_and_waited()
    cluster.fed.listed(cluster.fed.cluster.claims, *cluster.api.of(GPU_PARTITION_CLAIMS))
    cluster.clock.tick(FRESH_SECONDS + 1)
    for _ in range(3):
        await cluster.reconciler.reconcile(Request("", HOME))
    assert cluster.told.count(f"GPUNode {HOME} InventoryStale") == 1
    assert (cluster.healthy() or ("",) * 3)[:2] == ("Unknown", "InventoryStale")
    assert set(cluster.api.writes) == {"replace gpupartitionclaims"}


async def test_an_agent_that_was_not_heard_of_yet_is_given_time(cluster: Cluster) -> None:
    cluster.fed = FedCluster(cluster.clock)
    reconciler = UnhealthyReconciler(
        cast("Client", cluster.api), cluster.fed.cluster, cast("EventRecorder", cluster), cluster.clock
    )
    assert (await reconciler.reconcile(Request("", HOME))).requeue_after is not None
    assert cluster.told == []


async def test_a_claim_that_moved_on_is_looked_at_again(cluster: Cluster) -> None:
    cluster.breaks(0)
    cluster.api.before_write = refusing("replace gpupartitionclaims", Conflict(409, "Conflict", "moved on"))
    assert await cluster.look() == Result(requeue_after=SOON_SECONDS)
    await cluster.look()
    assert cluster.healthy() is not None


@pytest.mark.parametrize(
    ("resource", "error"),
    [
        pytest.param("patch gpunodes", NotFound(404, "NotFound", HOME), id="the GPUNode is gone"),
        pytest.param("delete pods", NotFound(404, "NotFound", "model-0"), id="the pod is gone"),
        pytest.param("delete pods", Conflict(409, "Conflict", "uid"), id="another pod of its name"),
    ],
)
async def test_what_goes_meanwhile_is_fine(cluster: Cluster, resource: str, error: Any) -> None:
    cluster.breaks(0)
    await cluster.told_and_waited()
    cluster.api.before_write = refusing(resource, error)
    await cluster.look(times=5)


@pytest.mark.parametrize("error", [NotFound(404, "NotFound", "model-0"), Conflict(409, "Conflict", "uid")])
async def test_a_pod_that_is_gone_already_was_not_evicted(cluster: Cluster, error: Any) -> None:
    cluster.breaks(0)
    await cluster.told_and_waited()
    asked: list[str] = []

    def refuse(verb: str) -> None:
        if verb == "delete pods":
            asked.append(verb)
            raise error

    cluster.api.before_write = refuse
    await cluster.look(times=5)
    assert asked
    assert cluster.counting.of(SCHEDULER_EVICTIONS) == []


async def test_a_node_without_gpus_of_ours_is_not_looked_at_again(cluster: Cluster) -> None:
    cluster.api.put(NODES, node_object("plain"))
    cluster.show()
    cluster.clock.tick(FRESH_SECONDS + 1)
    assert await cluster.look("plain") == Result()


def pair(cluster: Cluster) -> None:
    """The pod has two partitions."""
    held = {"phase": "Allocated", "allocation": allocation(HOME, 0, 0, 1), "boundTime": "2026-01-01T00:00:00Z"}
    cluster.api.put(GPU_PARTITION_CLAIMS, claim("aim-model-0", count=2, pod="model-0", status=held))


def all_kept(cluster: Cluster) -> list[tuple[str, int]]:
    return [(name, kept.partition) for name in (HOME, AWAY) for kept in cluster.node(name).spec.reservations]


async def test_a_pod_of_several_partitions_moves_once_a_place_is_kept_for_each(cluster: Cluster) -> None:
    pair(cluster)
    cluster.breaks(1)
    await cluster.told_and_waited()
    await cluster.look(times=2)
    assert all_kept(cluster) == [(HOME, 2), (HOME, 3)]
    await cluster.look()
    assert cluster.api.writes[-1] == "evict pods"
    cluster.show()
    assert unavailable_pods(cluster.fed.cluster, ()) == 1


async def test_of_such_a_pod_all_places_go_when_one_of_them_is_lost(cluster: Cluster) -> None:
    pair(cluster)
    cluster.breaks(1)
    await cluster.told_and_waited()
    await cluster.look(times=2)
    cluster.breaks(1, 3)
    await cluster.look()
    assert all_kept(cluster) == []
    await cluster.look()
    assert all_kept(cluster) == [(HOME, 2), (HOME, 4)]


GROUP = group_claim_name("team-a", "chat")


def group(cluster: Cluster, *names: str, index: int, made: str) -> None:
    """The pods are a share group that has one partition of the first node."""
    for name in names:
        cluster.add_pod(name, HOME, index, uid=f"uid-{name}")
        cluster.api.objects.pop(("gpupartitionclaims", "team-a", f"aim-{name}"))
        cluster.api.objects["pods", "team-a", name]["spec"]["resourceClaims"] = [
            {"name": "aim", "resourceClaimName": GROUP}
        ]
    held = bound_claim(GROUP, HOME, 0, index, phase="Allocated")
    held["metadata"]["creationTimestamp"] = made
    held["spec"] = {"shareGroup": "chat", "requirement": {"memory": "16Gi", "isolation": "cooperative"}}
    held["status"]["shares"] = [{"pod": {"name": name, "uid": f"uid-{name}"}, "bytes": str(8 << 30)} for name in names]
    cluster.api.put(GPU_PARTITION_CLAIMS, held)


@pytest.fixture
async def broken_group(cluster: Cluster) -> Cluster:
    """A share group of two, and nobody else, whose partition has been broken for long; two pods may be down."""
    for kind, name in (("pods", "model-0"), ("gpupartitionclaims", "aim-model-0")):
        del cluster.api.objects[kind, "team-a", name]
    group(cluster, "a", "b", index=0, made="2026-01-01T00:00:00Z")
    cluster.policy(onUnhealthy="Replace", repartition={"maxUnavailablePods": 2})
    cluster.breaks(0)
    await cluster.told_and_waited()
    return cluster


async def test_a_share_group_leaves_together_once_a_place_is_kept_for_it(broken_group: Cluster) -> None:
    cluster = broken_group
    await cluster.look(times=2)
    (kept,) = cluster.node(HOME).spec.reservations
    assert (kept.owner, kept.claim, kept.partition) == (GROUP, GROUP, 1)
    await cluster.look()
    assert cluster.api.writes[-2:] == ["evict pods", "evict pods"]


async def test_its_members_are_down_until_the_group_founded_anew_serves(broken_group: Cluster) -> None:
    cluster = broken_group
    await cluster.look(times=2)
    cluster.show()
    assert unavailable_pods(cluster.fed.cluster, ()) == 2
    await cluster.look(times=2)
    cluster.show()
    assert unavailable_pods(cluster.fed.cluster, ()) >= 1
    del cluster.api.objects["gpupartitionclaims", "team-a", GROUP]
    group(cluster, "c", "d", index=1, made="2026-01-01T01:00:00Z")
    await cluster.look()
    cluster.show()
    assert (unavailable_pods(cluster.fed.cluster, ()), all_kept(cluster)) == (0, [])


async def test_the_rest_of_a_group_is_asked_again_after_a_disruption_budget_refused(broken_group: Cluster) -> None:
    cluster = broken_group
    await cluster.look(times=2)
    cluster.api.refuses = True
    await cluster.look()
    assert "evict pods" not in cluster.api.writes
    del cluster.api.objects["pods", "team-a", "a"]  # it ended by itself
    cluster.api.refuses = False
    await cluster.look(times=2)
    assert cluster.api.of(PODS) == []
