"""A small fleet as the API server has it, for commands that look at a cluster: two nodes, models, a plan, a budget.

gpu-a: an SPX GPU that llama-70b has, a CPX/NPS4 GPU with two small models and an unhealthy partition. gpu-b: an idle
SPX GPU and a DPX GPU, half of which somebody holds. team-b/waits waits; plan spx-to-dpx awaits an approval.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from api.v1beta1 import GPUNode, GPUPartitionClaim
from controller.cli.access import REVIEWS
from controller.cli.top_fleet import Fleet, Place, Use, fleet_of
from controller.runtime.client.core import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    DEVICE_CLASSES,
    EVENTS,
    LEASES,
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    PRIORITY_CLASSES,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    SECRETS,
)
from controller.runtime.client.resource import Resource
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)
from tests.builders.claim import allocation, claim
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.node import node_object
from tests.builders.pod import OPTED_IN, pod
from tests.builders.policy import policy_object
from tests.fakes.api_server import Collection, FakeApiServer, status

Object = dict[str, Any]

SERVED: Final[tuple[Resource, ...]] = (
    *(NODES, PODS, NAMESPACES, LEASES, EVENTS, RESOURCE_CLAIMS, RESOURCE_SLICES, DEVICE_CLASSES),
    *(
        PRIORITY_CLASSES,
        POD_DISRUPTION_BUDGETS,
        DEPLOYMENTS,
        REPLICA_SETS,
        DAEMON_SETS,
        CUSTOM_RESOURCE_DEFINITIONS,
        SECRETS,
    ),
    *(GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, INFERENCE_SERVICES, MODEL_PROFILES, REPARTITION_PLANS),
)
SPX, CPX, DPX = gpu(0, "SPX/NPS1"), gpu(1, "CPX/NPS4", unhealthy=[7]), gpu(1, "DPX/NPS1")
READY: Final = [
    {"type": "Ready", "status": "True", "reason": "InventoryRead", "lastTransitionTime": "2026-01-01T00:00:00Z"}
]


def objects() -> Iterator[tuple[Resource, Object]]:
    """All of it, with agents that are alive now."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    for name, gpus in (("gpu-a", (SPX, CPX)), ("gpu-b", (SPX, DPX))):
        yield NODES, node_object(name)
        found = gpu_node(name, *gpus)
        found["status"]["conditions"] = READY
        yield GPU_NODES, found
        beat = lease(name)
        beat["spec"]["renewTime"] = now
        yield LEASES, beat
    yield GPU_SHARING_POLICIES, policy_object("everywhere", validatedOnly=False)
    for namespace in ("team-a", "team-b", "aim-gpu-system"):
        yield NAMESPACES, {"metadata": {"name": namespace}}
    yield from model(
        "llama-70b", "team-a", "meta-llama/Llama-3.3-70B-Instruct", "160Gi", allocation("gpu-a", 0, 0, of=SPX)
    )
    yield from model("chat", "team-a", "Qwen/Qwen3-4B", "16Gi", allocation("gpu-a", 1, 0, of=CPX))
    yield from model("code", "team-b", "Qwen/Qwen3-8B", "20Gi", allocation("gpu-a", 1, 1, of=CPX), owned=False)
    yield from model("batch", "team-b", "Qwen/Qwen3-32B", "80Gi", allocation("gpu-b", 1, 0, of=DPX))
    yield from model("waits", "team-b", "meta-llama/Llama-3.3-70B-Instruct", "200Gi", None)
    yield REPARTITION_PLANS, plan()
    yield POD_DISRUPTION_BUDGETS, budget("chat", allowed=0)


def model(
    name: str, namespace: str, model_id: str, memory: str, placed: Object | None, *, owned: bool = True
) -> Iterator[tuple[Resource, Object]]:
    """A pod `NAME-0` with its claim, of a ReplicaSet that wants one."""
    owner = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": f"rs-{name}", "controller": True}]
    metadata: Object = {"labels": {"app": name}} | ({"ownerReferences": owner} if owned else {})
    if owned:
        known = {"name": name, "namespace": namespace, "uid": f"rs-{name}"}
        yield REPLICA_SETS, {"metadata": known, "spec": {"replicas": 1}}
    node, gates = (placed["node"], ()) if placed is not None else (None, ("aim.amd.com/partition",))
    annotations = OPTED_IN | {"aim.amd.com/model-id": model_id}
    stored = pod(
        f"{name}-0",
        namespace=namespace,
        claim=f"aim-{name}",
        gates=gates,
        node=node,
        phase="Running" if placed is not None else "Pending",
        annotations=annotations,
        metadata=metadata,
    )
    stored["status"]["conditions"] = [{"type": "Ready", "status": "True"}] if placed is not None else []
    yield PODS, stored
    status: Object = {"phase": "Allocated", "allocation": placed} if placed is not None else {"phase": "Pending"}
    made = claim(f"aim-{name}", namespace=namespace, memory=memory, pod=f"{name}-0", status=status)
    made["spec"]["model"] = {"id": model_id}
    yield GPU_PARTITION_CLAIMS, made


def plan() -> Object:
    """Of gpu-b's idle GPU, to be approved."""
    modes = {"from": "SPX/NPS1", "to": "DPX/NPS1"}
    layouts = {end: {"gpus": [{"bdf": bdf(0), "mode": mode}]} for end, mode in modes.items()}
    return {
        "metadata": {"name": "spx-to-dpx", "generation": 1},
        "spec": {"node": "gpu-b", **layouts, "reason": "two models of 80 GiB wait"},
        "status": {"phase": "AwaitingApproval", "observedGeneration": 1},
    }


def budget(app: str, *, allowed: int) -> Object:
    """Of team-a, for the pods of an app."""
    return {
        "metadata": {"name": app, "namespace": "team-a", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": app}}},
        "status": {"disruptionsAllowed": allowed, "observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1},
    }


def fleet(uses: Mapping[Place, Use] | None = None) -> Fleet:
    """The fleet as `top` shows it."""
    found = list(objects())
    nodes = [GPUNode.model_validate(obj) for resource, obj in found if resource is GPU_NODES]
    claims = [GPUPartitionClaim.model_validate(obj) for resource, obj in found if resource is GPU_PARTITION_CLAIMS]
    return fleet_of(nodes, claims, uses or {})


class FleetServer(FakeApiServer):
    """Has it all, and does what the fake does not: reviews of access, evictions, logs, its version.

    `kept`: how often evictions of a pod are refused yet, by `namespace/name`; `never`: those of whom they are refused
    for good, with code and message. `forbidden`: plurals that nobody may
    read. `evicted`: the pods that went, in their order. `lingering`: pods that are there still when evicted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, int] = {}
        self.never: dict[str, tuple[int, str]] = {}
        self.forbidden: set[str] = set()
        self.evicted: list[str] = []
        self.lingering: set[str] = set()
        self.logs = '{"event": "starts", "token": "hf_abcdefghijklmnop"}\n'
        for resource in SERVED:
            self.serve(resource)
        for resource, obj in objects():
            self.put(resource, obj)

    async def perform(self, request: web.Request) -> web.StreamResponse:
        path, last = request.path.split("/"), request.path.rpartition("/")[2]
        if last == REVIEWS.plural:
            return web.json_response({"status": {"allowed": True}}, status=201)
        if self.forbidden & set(path):
            return status(403, "Forbidden", f"{last} is forbidden: User me cannot list it")
        if last == "version":
            return web.json_response({"gitVersion": "v1.34.0", "platform": "linux/amd64"})
        if last == "log":
            return web.Response(text=self.logs)
        if last == "eviction":
            return self._evict(f"{path[-4]}/{path[-2]}")
        return await super().perform(request)

    def _list(self, request: web.Request, collection: Collection, namespace: str | None) -> web.Response:
        """Also of the pods of one node alone; by other fields nothing is selected."""
        field, _, node = request.query.get("fieldSelector", "").partition("=")
        if field != "spec.nodeName":
            return super()._list(request, collection, namespace)
        there = [one for one in collection.objects.values() if one["spec"].get("nodeName") == node]
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": there})

    def _evict(self, pod: str) -> web.Response:
        if pod in self.never:
            code, message = self.never[pod]
            return status(code, "Forbidden" if code == 403 else "InternalError", message)
        if self.kept.get(pod, 0):
            self.kept[pod] -= 1
            causes = {
                "causes": [{"reason": "DisruptionBudget", "message": f"The disruption budget of {pod} needs more"}]
            }
            return status(429, "TooManyRequests", "Cannot evict pod as it would violate a budget.", details=causes)
        self.evicted.append(pod)
        if pod not in self.lingering:
            self.remove(PODS, pod)
        return web.json_response({}, status=201)
