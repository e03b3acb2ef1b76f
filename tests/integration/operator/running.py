"""The operator and simulated agents on the run's plane, with what tests ask of them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.plane import NodeShape, Plane, remove_nodes
from e2e.run.install import SYSTEM_NAMESPACE, add_gpu_nodes
from e2e.run.processes import Worker, start_agents, start_operator
from tests.integration.operator.warm_start import PROGRAM, WarmProcesses

Object = dict[str, Any]
AIM = "/apis/aim.amd.com/v1beta1"
DRA = "/apis/resource.k8s.io/v1"
OPT_IN = "aim.amd.com/gpu-sharing"
SMALL = "Qwen/Qwen2.5-0.5B-Instruct"
_HEARTBEATS = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases"
LIMIT_SECONDS = 60.0
"""How long anything may take on a machine that is busy with other things."""


@dataclass
class Running:
    """A started operator with agents. `names` maps the test's short node names to those on the plane."""

    plane: Plane
    namespace: str
    operator: Worker
    agents: Worker
    names: Mapping[str, str]
    made: list[str] = field(default_factory=list)

    async def create(self, path: str, obj: Object) -> Object:
        return await asyncio.to_thread(self.plane.admin.create, path, obj)

    async def patch(self, path: str, patch: Object | list[Any]) -> Object:
        return await asyncio.to_thread(self.plane.admin.patch, path, patch)

    async def get(self, path: str) -> Object:
        return await asyncio.to_thread(self.plane.admin.get, path)

    async def find(self, path: str) -> Object | None:
        return await asyncio.to_thread(self.plane.admin.find, path)

    async def delete(self, path: str) -> None:
        await asyncio.to_thread(self.plane.admin.delete, path)

    async def rule(self, policy: Object) -> None:
        """Create a policy and wait until the operator has read it: what is asked before follows the rules before."""
        path = f"{AIM}/gpusharingpolicies"
        generation = (await self.create(path, policy))["metadata"]["generation"]

        async def read() -> bool:
            found = await self.get(f"{path}/{policy['metadata']['name']}")
            return bool(found.get("status", {}).get("observedGeneration", 0) >= generation)

        await self.eventually("the operator has read the policy", read)

    async def items(self, path: str) -> list[Object]:
        return list((await self.get(path))["items"])

    # Places of this test's namespace.

    @property
    def pods_path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    @property
    def claims_path(self) -> str:
        return f"{AIM}/namespaces/{self.namespace}/gpupartitionclaims"

    @property
    def resource_claims_path(self) -> str:
        return f"{DRA}/namespaces/{self.namespace}/resourceclaims"

    @property
    def deployments_path(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    @property
    def services_path(self) -> str:
        return f"{AIM}/namespaces/{self.namespace}/inferenceservices"

    async def pods(self) -> list[Object]:
        return await self.items(self.pods_path)

    async def claims(self) -> list[Object]:
        return await self.items(self.claims_path)

    async def resource_claims(self) -> list[Object]:
        return await self.items(self.resource_claims_path)

    async def eventually(self, what: str, check: Callable[[], Any], limit: float = LIMIT_SECONDS) -> Any:
        """The first true answer of an async check; fails with its last answer.

        What a check looks into and is not written yet is no answer.
        """
        seen: Any = None
        unwritten: Exception | None = None
        try:
            async with asyncio.timeout(limit):
                while True:
                    try:
                        seen = await check()
                    except LookupError as error:
                        seen, unwritten = None, error
                    else:
                        unwritten = None
                    if seen:
                        return seen
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(
                f"not within {limit:.0f} s: {what}; last seen {unwritten or seen!r}; {await self._state()}"
            ) from None

    async def _state(self) -> str:
        claims = [
            (c["metadata"]["name"], c.get("status", {}).get("phase"), c.get("status", {}).get("explanation"))
            for c in await self.claims()
        ]
        pods = [
            (p["metadata"]["name"], p["spec"].get("nodeName"), p["spec"].get("schedulingGates"), p["status"])
            for p in await self.pods()
        ]
        return f"claims {claims[:5]}; pods {pods[:5]}; operator log {self.operator.log}"

    async def claim_where(self, limit: float = LIMIT_SECONDS, **wanted: str) -> Object:
        """The only claim of the namespace once phase (and Bound's reason) are as wanted."""

        async def check() -> Object | None:
            claims = await self.claims()
            for claim in claims:
                status = claim.get("status", {})
                reasons = {c["type"]: c["reason"] for c in status.get("conditions", ())}
                phase = wanted.get("phase", status.get("phase"))
                if status.get("phase") == phase and reasons.get("Bound") == wanted.get("reason", reasons.get("Bound")):
                    return claim
            return None

        found: Object = await self.eventually(f"a claim with {wanted}", check, limit)
        return found

    async def all_allocated(self, count: int, limit: float = LIMIT_SECONDS) -> list[Object]:
        """The namespace's claims once `count` are Allocated."""

        async def check() -> list[Object] | None:
            held = [c for c in await self.claims() if c.get("status", {}).get("phase") == "Allocated"]
            return held if len(held) >= count else None

        found: list[Object] = await self.eventually(f"{count} claims Allocated", check, limit)
        return found

    async def metrics(self, worker: Worker) -> str:
        """A worker's metrics as Prometheus reads them."""
        import aiohttp

        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{worker.ports['metrics']}/metrics") as answer,
        ):
            return await answer.text()


def opt_in(model: str = SMALL, **more: str) -> dict[str, str]:
    """Annotations that ask for a partition; underscores stand for dashes."""
    asked = {f"aim.amd.com/{key.replace('_', '-')}": value for key, value in more.items()}
    return {OPT_IN: "true", "aim.amd.com/model-id": model, **asked}


def pod(name: str, annotations: Mapping[str, str], **spec: Any) -> Object:
    """A pod with one small container."""
    container = {"name": "main", "image": "model", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    return {
        "metadata": {"name": name, "annotations": dict(annotations)},
        "spec": {"containers": [container], **spec},
    }


def deployment(name: str, replicas: int, annotations: Mapping[str, str], **spec: Any) -> Object:
    """A Deployment that never surges."""
    labels = {"app": name}
    template = pod(name, annotations, **spec)
    template["metadata"] = {"labels": labels, "annotations": dict(annotations)}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": template,
        },
    }


def service(name: str, model: str = SMALL, **spec: Any) -> Object:
    """An InferenceService with one small container."""
    container = {"name": "kserve-container", "image": "model", "resources": {"requests": {"cpu": "100m"}}}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"model": {"id": model}, "predictor": {"containers": [container]}} | spec,
    }


@asynccontextmanager
async def running(
    plane: Plane,
    folder: Path,
    nodes: Mapping[str, str],
    *,
    gpus: int = 8,
    server: str | None = None,
    time_scale: float = 0.02,
    shape: NodeShape | None = None,
    operator_arguments: Sequence[str] = (),
    agent_arguments: Sequence[str] = (),
    slices: bool = True,
    limit: float = LIMIT_SECONDS,
    program: str = PROGRAM,
) -> AsyncIterator[Running]:
    """Operator and agents for `nodes` (short name to first mode), in a namespace of their own; all gone afterwards.

    `slices`: the agents can advertise their devices in ResourceSlices, and that and their heartbeats are waited for, `limit` seconds.
    `program`: what the parent runs that both are forked from.
    """
    suffix = uuid.uuid4().hex[:6]
    names = {short: f"{short}-{suffix}" for short in nodes}
    namespace = f"op-{suffix}"
    await asyncio.to_thread(plane.admin.create, "/api/v1/namespaces", {"metadata": {"name": namespace}})
    if shape is None:
        await asyncio.to_thread(add_gpu_nodes, plane, list(names.values()))
    else:
        await asyncio.to_thread(add_gpu_nodes, plane, list(names.values()), shape)
    modes = {names[short]: mode for short, mode in nodes.items()}
    agent = ("--gpus", str(gpus), "--heartbeat-seconds", "1", *agent_arguments)
    try:
        async with (
            start_operator(
                plane, folder, server=server, arguments=operator_arguments, processes=WarmProcesses(program)
            ) as operator,
            start_agents(
                plane, folder, modes, time_scale=time_scale, arguments=agent, processes=WarmProcesses(program)
            ) as agents,
        ):
            cluster = Running(plane, namespace, operator, agents, names)
            await _inventory(cluster, slices=slices, limit=limit)
            yield cluster
    finally:
        await asyncio.to_thread(_clean, plane, namespace, tuple(names.values()))


async def _inventory(cluster: Running, *, slices: bool, limit: float) -> None:
    """Wait until every node reports GPUs, and its agent advertises devices and has a Lease.

    The operator trusts no node without one: what is asked before is placed among the others.
    """

    async def reported() -> bool:
        nodes = await cluster.items(f"{AIM}/gpunodes")
        known = {n["metadata"]["name"] for n in nodes if n.get("status", {}).get("gpus")}
        if slices:
            known &= {s["spec"].get("nodeName") for s in await cluster.items(f"{DRA}/resourceslices")}
            known &= {lease["metadata"]["name"] for lease in await cluster.items(_HEARTBEATS)}
        return set(cluster.names.values()) <= known

    await cluster.eventually("every node reports its GPUs", reported, limit)


def _clean(plane: Plane, namespace: str, nodes: Sequence[str]) -> None:
    """Remove what the test made; pods first, while their nodes are there to let them go."""
    admin = plane.admin
    for plan in admin.get(f"{AIM}/repartitionplans")["items"]:
        admin.delete(f"{AIM}/repartitionplans/{plan['metadata']['name']}")
    for policy in admin.get(f"{AIM}/gpusharingpolicies")["items"]:
        admin.delete(f"{AIM}/gpusharingpolicies/{policy['metadata']['name']}")
    pods = f"/api/v1/namespaces/{namespace}/pods"
    # the namespace controller looks again only every few seconds, so what holds it up goes first
    for path in (
        f"{AIM}/namespaces/{namespace}/inferenceservices",
        f"/apis/apps/v1/namespaces/{namespace}/deployments",
    ):
        admin.request("DELETE", path)
    admin.request("DELETE", pods)
    admin.delete(f"/api/v1/namespaces/{namespace}")
    plane.wait_until(lambda: not admin.get(pods)["items"], f"pods of {namespace} are gone", 60)
    remove_nodes(plane, nodes)
