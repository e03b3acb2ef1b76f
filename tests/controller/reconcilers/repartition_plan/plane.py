"""A node with GPUs, one plan, and the reconciler over an API server in memory; each `step` shows all it has first."""

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from controller.placement.snapshot import Gpu
from controller.reconcilers.repartition_plan.controller import RepartitionPlanReconciler
from controller.repartition.phases import DEADLINE_SECONDS, Phase
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES, PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import Conflict
from controller.runtime.client.resource import Resource
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, REPARTITION_PLANS
from controller.telemetry.instruments import SCHEDULER_OPERATIONS
from tests.builders.claim import claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB, bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plan import plan
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.builders.resource_slice import resource_slice
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.fakes.counted import Counted

Object = dict[str, Any]
BEFORE, AFTER = gpu(0, "SPX/NPS1"), gpu(0, "CPX/NPS1")
NEIGHBOUR = gpu(1, "SPX/NPS1")
OURS = "plan-plan-1"  # the builder's uid of that plan
STATUS_WRITE, ORDER = "replace repartitionplans", "patch gpunodes"


class PlanApi(InMemoryApi):
    """With evictions, which take a pod and its claim away unless `refuse` raises, and lists."""

    def __init__(self) -> None:
        super().__init__()
        self.evictions: list[tuple[str, str | None]] = []
        self.refuse: Callable[[str], None] = lambda _: None

    async def evict(self, name: str, namespace: str, uid: str | None = None) -> None:
        self.refuse(name)
        self._begin("evict", PODS)
        present = self._found(PODS, name, namespace)
        if uid not in (None, present["metadata"]["uid"]):
            raise Conflict(409, "Conflict", "another pod")
        self.evictions.append((name, uid))
        del self.objects["pods", namespace, name]
        for wanted in [one for one in self.of(GPU_PARTITION_CLAIMS) if one["spec"]["podRef"]["name"] == name]:
            del self.objects["gpupartitionclaims", namespace, wanted["metadata"]["name"]]
        self._done("evict pods", {})

    async def list(self, resource: Resource) -> SimpleNamespace:
        return SimpleNamespace(items=self.of(resource))


class Plugins:
    """AMD's pods as the test says: what they answer, and what was asked of them."""

    def __init__(self) -> None:
        self.exporter: str | None = None
        self.restarting: str | None = None
        self.asked: list[str] = []

    async def pause(self, node: str) -> str | None:
        self.asked.append(f"pause {node}")
        return self.exporter

    async def resume(self, node: str) -> None:
        self.asked.append(f"resume {node}")

    async def restart(self, node: str, since: datetime) -> str | None:
        self.asked.append(f"restart {node} {since:%H:%M:%S}")
        return self.restarting


class Plane:
    """One node with one GPU in SPX, one plan to CPX, and the reconciler; `step` shows it all and reconciles once."""

    def __init__(self, phase: str = "Pending", *gpus: Gpu, alive: bool = True, **spec: Any) -> None:
        self.api, self.fed, self.plugins = PlanApi(), FedCluster(), Plugins()
        self.alive = alive
        self.labels: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []
        self.counting = Counted()
        self.has = gpus or (BEFORE,)
        self.api.put(GPU_NODES, gpu_node("worker-0", *self.has))
        made = plan(phase=phase)
        self.api.put(REPARTITION_PLANS, made | {"spec": made["spec"] | spec})
        self.reconciler = self.operator()

    def operator(self) -> RepartitionPlanReconciler:
        """A reconciler that has just started: it knows nothing but what the API server tells."""
        recorder = SimpleNamespace(record=lambda regarding, type_, reason, *_: self.told.append((type_, reason)))
        return RepartitionPlanReconciler(
            cast("Client", self.api),
            self.fed.cluster,
            cast("EventRecorder", recorder),
            self.fed.clock,
            self.counting.counts(),
            plugins=self.plugins,
        )

    @property
    def counted(self) -> list[str]:
        """The results that were counted."""
        return [result for _, result in self.counting.of(SCHEDULER_OPERATIONS)]

    def restart(self) -> None:
        """The operator is killed and another one takes over."""
        self.reconciler = self.operator()

    def show(self) -> None:
        """The informers show what the API server has."""
        cluster = self.fed.cluster
        self.fed.listed(cluster.nodes, *(self.api.of(NODES) or [node_object(labels=self.labels)]))
        for informer, resource in (
            (cluster.gpu_nodes, GPU_NODES),
            (cluster.plans, REPARTITION_PLANS),
            (cluster.resource_claims, RESOURCE_CLAIMS),
            (cluster.policies, GPU_SHARING_POLICIES),
            (cluster.claims, GPU_PARTITION_CLAIMS),
            (cluster.pods, PODS),
        ):
            self.fed.listed(informer, *self.api.of(resource))
        if self.alive:
            self.fed.beat("worker-0")
            self.fed.beat("worker-0")

    async def step(self, name: str = "plan-1") -> Result:
        self.show()
        return await self.look(name)

    async def settle(self, name: str = "plan-1") -> Result:
        """Steps until one writes nothing."""
        for _ in range(12):
            before = len(self.api.writes)
            result = await self.step(name)
            if len(self.api.writes) == before:
                return result
        raise AssertionError(f"it goes on and on: {self.api.writes[-6:]}")

    async def look(self, name: str = "plan-1") -> Result:
        """The reconciler looks at a plan as the informers showed it last."""
        return await self.reconciler.reconcile(Request("", name))

    async def until(self, phase: str) -> None:
        """Steps until the plan is in the phase and has done all that it can there."""
        for _ in range(8):
            if self.status["phase"] == phase:
                await self.settle()
                return
            await self.step()
        assert self.status["phase"] == phase, self.status["message"]

    async def past_deadline(self, phase: Phase) -> None:
        """The phase's deadline passes, and the plan is looked at."""
        limit = DEADLINE_SECONDS[phase]
        assert limit is not None
        self.fed.clock.tick(limit + 1)
        await self.step()

    # What others do.

    def spec(self, **changes: Any) -> None:
        stored = self.stored()
        self.put_plan(stored | {"spec": stored["spec"] | changes})

    def put_plan(self, obj: Object) -> None:
        self.api.put(REPARTITION_PLANS, obj)

    def agent(
        self, phase: str, *gpus: Gpu, message: str = "", step: str = "", ended: str | None = None, **status: Any
    ) -> None:
        """The agent reports what became of the ordered operation, and what the GPUs are like now."""
        assert self.ordered is not None
        progress = {"id": self.ordered["id"], "phase": phase, "message": message, "step": step, "endTime": ended}
        self.report(*(gpus or self.has), operation=progress, **status)

    def report(self, *gpus: Gpu, **status: Any) -> None:
        """The agent reports these GPUs."""
        (node,) = self.api.of(GPU_NODES)
        self.has = gpus
        self.api.put(GPU_NODES, node | {"status": gpu_node("worker-0", *gpus)["status"] | status})

    def order(self, *, to: str) -> None:
        """The present operation asks for another mode."""
        (node,) = self.api.of(GPU_NODES)
        operation = {**node["spec"]["operation"], "to": {"gpus": [{"bdf": bdf(0), "mode": to}]}}
        self.api.put(GPU_NODES, node | {"spec": node["spec"] | {"operation": operation}})

    def processes(self, count: int) -> None:
        (node,) = self.api.of(GPU_NODES)
        gpus = [{**one, "processes": count} for one in node["status"]["gpus"]]
        self.api.put(GPU_NODES, node | {"status": node["status"] | {"gpus": gpus}})

    def driver(self, *gpus: Gpu) -> None:
        self.fed.listed(self.fed.cluster.resource_slices, resource_slice("worker-0", *gpus))

    def policy(self, **spec: Any) -> None:
        rules = {"enabled": True, "maxUnavailablePods": 1} | spec.pop("repartition", {})
        self.api.put(GPU_SHARING_POLICIES, policy_object(repartition=rules, **{"validatedOnly": False} | spec))

    def serves(
        self,
        name: str,
        number: int = 0,
        *,
        owner: str | None = "rs-1",
        priority: int = 0,
        created: str = "2025-12-31T23:00:00Z",
        status: Object | None = None,
        count: int = 1,
    ) -> None:
        """A pod of ours serves from the whole of GPU `number`, unless the claim's `status` says otherwise."""
        controller = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": owner, "controller": True}
        metadata = {"creationTimestamp": created} | ({"ownerReferences": [controller]} if owner else {})
        made = pod(name, claim=f"aim-{name}", gates=(), node="worker-0", phase="Running", metadata=metadata)
        made["spec"]["priority"] = priority
        made["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        self.api.put(PODS, made)
        self.api.put(GPU_PARTITION_CLAIMS, claim(f"aim-{name}", pod=name, count=count, status=status or held(number)))

    def ready(self, name: str, status: str) -> None:
        """The pod's condition Ready changes."""
        found = self.api.objects["pods", "team-a", name]
        self.api.put(
            PODS, found | {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status}]}}
        )

    def waits(self, name: str, *, priority: int = 0) -> None:
        """A pod of ours waits for a place."""
        made = pod(name, claim=f"aim-{name}")
        made["spec"]["priority"] = priority
        self.api.put(PODS, made)
        self.api.put(GPU_PARTITION_CLAIMS, claim(f"aim-{name}", pod=name))

    # What there is.

    @property
    def status(self) -> Object:
        status: Object = self.stored()["status"]
        return status

    def stored(self, name: str = "plan-1") -> Object:
        return self.api.objects["repartitionplans", "", name]

    @property
    def steps(self) -> list[str]:
        return [step["name"] for step in self.status["steps"]]

    @property
    def ordered(self) -> Object | None:
        """The operation that the agent is to carry out."""
        (node,) = self.api.of(GPU_NODES)
        operation: Object | None = node["spec"].get("operation")
        return operation

    def condition(self, type_: str) -> Object | None:
        return next((one for one in self.status.get("conditions", ()) if one["type"] == type_), None)


def held(number: int) -> Object:
    """The status of a claim that holds GPU `number`, which is in SPX/NPS1."""
    whole = gpu(number, "SPX/NPS1").partitions[0]
    device = {
        "device": whole.device,
        "pool": "worker-0",
        "renderIndex": whole.render_index,
        "bdf": bdf(number),
        "partition": 0,
        "mode": "SPX/NPS1",
        "bytes": 190 * GIB,
    }
    return {"phase": "Allocated", "allocation": {"node": "worker-0", "devices": [device], "binding": "DRA"}}
