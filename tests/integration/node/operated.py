"""The operator and an agent of simulated GPUs for a real node, and what tests ask of them together."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.plane import Plane
from e2e.plane.node import RealNode
from e2e.run.install import install
from e2e.run.processes import OPERATOR, Worker, start_operator
from tests.integration.node.agent import AIM, NodeAgent, node_agent
from tests.integration.node.workloads import Object, container, pod
from tests.integration.operator.running import opt_in

MODE = "CPX/NPS1"
DEVICES = 16
POLICY = f"{AIM}/gpusharingpolicies"
RESOURCE = "amd.com/cpx_nps1"
"""What the device plugin calls partitions in `MODE`."""

# a change of a GPU's compute mode takes 4.5 s: long enough for something to happen meanwhile
_DRA = ("--kubelet-plugin", "dra", "--time-scale", "3")
_DEVICE_PLUGIN = ("--kubelet-plugin", "device-plugin", "--resource-naming", "mixed")


@dataclass(frozen=True)
class Operated:
    """Both of them. The node has two GPUs, which begin in `MODE`."""

    agent: NodeAgent
    operator: Worker

    @property
    def plane(self) -> Plane:
        return self.agent.plane

    def claim_of(self, namespace: str, pod: str) -> Object:
        """The claim of a pod; without a status until there is one."""
        found = self.plane.admin.get(f"{AIM}/namespaces/{namespace}/gpupartitionclaims")["items"]
        return next((one for one in found if one["spec"]["podRef"]["name"] == pod), {})

    def allocated(self, namespace: str, pod: str) -> Object:
        """The claim of a pod once the scheduler has allocated its device and the kubelet told of the same."""

        def told() -> bool:
            status = self.claim_of(namespace, pod).get("status", {})
            given = status.get("allocation", {}).get("devices")
            return bool(status.get("phase") == "Allocated" and (status.get("observed") or {}).get("devices") == given)

        self.agent.eventually(told, f"the claim of {pod} is Allocated, and the kubelet told of its device")
        return self.claim_of(namespace, pod)

    def modes(self) -> dict[str, str]:
        """The mode of each GPU."""
        return {gpu["bdf"]: gpu["mode"] for gpu in self.agent.status()["gpus"]}

    def hardware(self) -> list[str]:
        """The devices of all partitions that the agent reports."""
        return sorted(one["device"] for gpu in self.agent.status()["gpus"] for one in gpu["partitions"])

    def audited(self, namespace: str, verb: str, subresource: str = "") -> Iterator[Object]:
        """What the operator did to pods of a namespace: the audit log's entries, in order."""
        for line in self.plane.audit_log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            target = entry.get("objectRef", {})
            place = target.get("resource"), target.get("subresource", ""), target.get("namespace")
            asks = entry["user"]["username"] == OPERATOR and "impersonatedUser" not in entry
            if asks and entry["verb"] == verb and place == ("pods", subresource, namespace):
                yield entry


def asking(name: str, script: str, *, annotations: dict[str, str] | None = None, **more: Any) -> Object:
    """A pod of one container that opted in, for the operator to place; `more` are the container's fields."""
    made = pod(name, container(script, **more))
    del made["spec"]["nodeName"]
    made["metadata"]["annotations"] = opt_in() if annotations is None else annotations
    return made


def device_text(claim: Object) -> str:
    """The device that a claim has, as containers are told."""
    (device,) = claim["status"]["allocation"]["devices"]
    return f"{device['bdf']}/{device['partition']} {device['mode']}"


@contextmanager
def paused(operated: Operated) -> Iterator[None]:
    """Nothing is bound to the node; back again afterwards."""
    path = f"{AIM}/gpunodes/{operated.agent.node.name}"
    operated.plane.admin.patch(path, {"spec": {"paused": True}})
    try:
        yield
    finally:
        operated.plane.admin.patch(path, {"spec": {"paused": False}})


@asynccontextmanager
async def operated_node(
    plane: Plane, node: RealNode, folder: Path, *, device_plugin: bool = False
) -> AsyncIterator[Operated]:
    """Operator and agent, with a policy that lets people change modes; all gone afterwards.

    `device_plugin`: pods get their partitions by it, and else by ResourceClaims.
    """
    install(plane)
    name = f"node-{uuid.uuid4().hex[:6]}"
    rules = {"enabled": True, "approval": "Manual", "cooldown": "0s", "maxUnavailablePods": 3}
    spec = {"validatedOnly": False, "repartition": rules} | ({"binding": "DevicePlugin"} if device_plugin else {})
    policy = {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUSharingPolicy", "metadata": {"name": name}}
    options = _DEVICE_PLUGIN if device_plugin else _DRA
    async with start_operator(plane, folder) as operator:
        with node_agent(plane, node, folder, MODE, *options, made=False) as agent:
            plane.admin.create(POLICY, {**policy, "spec": spec})
            try:
                agent.eventually(
                    lambda: plane.admin.get(f"{POLICY}/{name}").get("status", {}).get("nodes", 0) == 1,
                    "the operator has read the policy, and knows the node",
                )
                agent.eventually(lambda: _on_offer(agent, device_plugin=device_plugin), "its devices are on offer")
                yield Operated(agent, operator)
            finally:
                plane.admin.delete(f"{POLICY}/{name}")


def _on_offer(agent: NodeAgent, *, device_plugin: bool) -> bool:
    if device_plugin:
        return agent.allocatable().get(RESOURCE) == str(DEVICES)
    return len(agent.offered()) == DEVICES
