"""The agent of simulated GPUs on a real node: a process beside its kubelet, with what tests ask of both."""

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

from e2e.plane import Plane
from e2e.plane.errors import NotReady
from e2e.plane.node import RealNode
from e2e.plane.plane import tail
from e2e.plane.ports import LOOPBACK
from e2e.plane.processes import Processes
from e2e.run.install import MANAGED
from e2e.run.processes import write_agent_tokens
from tests.integration.node.workloads import Object, create, is_ready, log

AIM = "/apis/aim.amd.com/v1beta1"
DRA = "/apis/resource.k8s.io/v1"
LIMIT_SECONDS = 90.0
TELLS = "env | grep -E '^(A[IM]|ROCR)' | sort; sleep 1000"
"""The script of a container that writes what it was told of its devices."""

_NAME = "agent"
_STOP_SECONDS = 15.0


class NodeAgent:
    """The agent of `node` as a process on it. `start` it; it may be killed and started again."""

    def __init__(self, plane: Plane, node: RealNode, folder: Path, mode: str, arguments: Sequence[str]) -> None:
        self.plane = plane
        self.node = node
        self.log = folder / "agent.log"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state").mkdir(exist_ok=True)
        write_agent_tokens(plane, folder / "tokens", [node.name])
        program = str(Path(sys.executable).with_name("aim-gpu"))
        self._command = node.command(
            *(program, "agent", "--server", plane.server, "--ca-file", str(plane.ca), "--node", f"{node.name}={mode}"),
            *("--tokens-dir", str(folder / "tokens"), "--state-dir", str(folder / "state"), "--time-scale", "0.02"),
            *("--bind-host", LOOPBACK, "--health-port", "0", "--metrics-port", "0", "--metrics-plain"),
            *("--heartbeat-seconds", "1", "--gpus", "2", *arguments),
        )
        self._environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
        self._processes = Processes(folder / "supervisor.log")

    def start(self) -> None:
        """Start, or start again."""
        self._processes.start(_NAME, self._command, self._environ, self.log)

    def kill(self, number: Signals = SIGKILL) -> None:
        """End the process."""
        self._processes.end(_NAME, number, _STOP_SECONDS)

    def close(self) -> None:
        """End the process, if it runs, and its supervisor."""
        child = self._processes.children().get(_NAME)
        if child is not None and child.code is None:
            self.kill(SIGTERM)
        self._processes.stop()

    # What is seen of it ---------------------------------------------------------------------------------------------

    def eventually(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for what agent, kubelet and scheduler do among them."""
        try:
            self.plane.wait_until(condition, what, LIMIT_SECONDS)
        except NotReady as error:
            raise AssertionError(f"{error}; the agent's log ends with\n{tail(self.log)}") from error

    def offered(self) -> list[str]:
        """The devices of the node's ResourceSlices."""
        found = self.plane.admin.get(f"{DRA}/resourceslices")["items"]
        own = [obj for obj in found if obj["spec"].get("nodeName") == self.node.name]
        return sorted(device["name"] for obj in own for device in obj["spec"].get("devices") or ())

    def allocatable(self) -> dict[str, str]:
        """AMD's extended resources of the Node."""
        found = self.plane.admin.get(f"/api/v1/nodes/{self.node.name}")["status"]["allocatable"]
        return {name: count for name, count in found.items() if name.startswith("amd.com/")}

    def status(self) -> Object:
        """What the agent reports."""
        found: Object = self.plane.admin.get(f"{AIM}/gpunodes/{self.node.name}").get("status") or {}
        return found

    def assigned(self, namespace: str) -> dict[str, tuple[str, int]]:
        """The partition that the kubelet gave to each pod of a namespace, as the agent reads it."""
        told = self.status().get("assigned") or ()
        return {one["pod"]: (one["bdf"], one["partition"]) for one in told if one["namespace"] == namespace}

    def cdi_files(self) -> dict[str, Any]:
        """The node's CDI files: content by name."""
        folder = self.node.on_host("/var/run/cdi")
        found = {}
        for path in sorted(folder.glob("*.json")) if folder.exists() else ():
            with suppress(FileNotFoundError):
                found[path.name] = json.loads(path.read_text(encoding="utf-8"))
        return found


@contextmanager
def node_agent(
    plane: Plane, node: RealNode, folder: Path, mode: str, *arguments: str, made: bool = True
) -> Iterator[NodeAgent]:
    """An agent that has reported, and its GPUNode, which without an operator (`made` True) the test makes."""
    path = f"{AIM}/gpunodes/{node.name}"
    if made:
        kubernetes_node = plane.admin.get(f"/api/v1/nodes/{node.name}")
        owner = {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": kubernetes_node["metadata"]["uid"]}
        plane.admin.create(
            f"{AIM}/gpunodes",
            {
                "apiVersion": "aim.amd.com/v1beta1",
                "kind": "GPUNode",
                "metadata": {"name": node.name, "ownerReferences": [owner]},
                "spec": {},
            },
        )
    else:
        plane.admin.patch(f"/api/v1/nodes/{node.name}", {"metadata": {"labels": {MANAGED: "true"}}})
    agent = NodeAgent(plane, node, folder / uuid.uuid4().hex[:6], mode, arguments)
    try:
        agent.start()
        agent.eventually(lambda: bool(agent.status().get("gpus")), "the agent reports its GPUs")
        yield agent
    finally:
        agent.close()
        if not made:
            plane.admin.patch(f"/api/v1/nodes/{node.name}", {"metadata": {"labels": {MANAGED: None}}})
        plane.admin.request("DELETE", path)
        for obj in plane.admin.get(f"{DRA}/resourceslices")["items"]:
            if obj["spec"].get("nodeName") == node.name:
                plane.admin.delete(f"{DRA}/resourceslices/{obj['metadata']['name']}")


def environment(agent: NodeAgent, path: str) -> dict[str, str]:
    """What the pod's container, which runs `TELLS`, was told of its devices."""
    agent.eventually(lambda: "ROCR_VISIBLE_DEVICES" in log(agent.plane, path), f"{path} tells its environment")
    lines = log(agent.plane, path).splitlines()
    return dict(line.split("=", 1) for line in lines)


def run(agent: NodeAgent, namespace: str, obj: Object) -> str:
    """Create a pod and wait until it is Ready; gives its path."""
    path = create(agent.plane, namespace, obj)
    agent.eventually(lambda: is_ready(agent.plane, path), f"pod {obj['metadata']['name']} is Ready")
    return path


def gone(agent: NodeAgent, path: str) -> None:
    """Wait until what was deleted is gone."""
    agent.eventually(lambda: agent.plane.admin.find(path) is None, f"{path} is gone")
