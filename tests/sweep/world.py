"""A small cluster in virtual time: two GPU nodes, models that run there, the operator and an agent on each node."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final
from unittest.mock import patch

from controller.agent.heartbeat import SYSTEM_NAMESPACE
from controller.runtime.client import core
from controller.runtime.client.core import NAMESPACES, NODES, PODS
from controller.runtime.manifest import Manifest
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)
from tests.builders.node import node_object
from tests.fakes.clock import LoopClock
from tests.fakes.store import FakeStore
from tests.sweep.kubernetes import EXPORTER, NAMESPACE, Kubernetes, Workload
from tests.sweep.machine import Machine
from tests.sweep.processes import Process, agent, operator

RESOURCES: Final = (
    core.PODS,
    core.NODES,
    core.NAMESPACES,
    core.CONFIG_MAPS,
    core.LEASES,
    core.EVENTS,
    core.DEPLOYMENTS,
    core.REPLICA_SETS,
    core.DAEMON_SETS,
    core.POD_DISRUPTION_BUDGETS,
    core.RESOURCE_CLAIMS,
    core.RESOURCE_SLICES,
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)
MODEL: Final = "Qwen/Qwen2.5-0.5B-Instruct"

CHANGED: Final = "node-a"
"""The node whose modes change."""
OTHER: Final = "node-b"
"""Where pods that have to leave it go."""
PLAN: Final = "change"
AMD: Final = "kube-amd-gpu"
FIRST_MODE: Final = "DPX/NPS1"
MODELS: Final = 4
"""As many as the node that changes has partitions at first."""


class World:
    """Everything of one case. Made by `world`."""

    def __init__(self, tasks: asyncio.TaskGroup, seed: int, gpus: int, divide: str) -> None:
        self.clock = LoopClock()
        self.rng = Random(seed)
        self.store = FakeStore(self.clock, RESOURCES, Random(seed))
        self.kubernetes = Kubernetes(self.store, self.rng)
        self.machines = {node: Machine(FIRST_MODE, gpus, self.clock) for node in (CHANGED, OTHER)}
        self.operator = operator(self.store, self.clock, self.rng)
        self.agents = {
            node: agent(node, machine, self.store, self.clock, self.rng) for node, machine in self.machines.items()
        }
        self.tasks = tasks
        self._later: list[asyncio.TimerHandle] = []
        for name in (NAMESPACE, SYSTEM_NAMESPACE, AMD):
            self.store.create(NAMESPACES, {"metadata": {"name": name}})
        for node in self.machines:
            self.add_node(node)
        self.store.create(GPU_SHARING_POLICIES, _policy(divide))

    @property
    def processes(self) -> tuple[Process, ...]:
        """The operator and the agents."""
        return (self.operator, *self.agents.values())

    def add_node(self, name: str) -> None:
        """The Node, with AMD's own pods on it from then on."""
        self.store.create(NODES, node_object(name))
        for workload in amd_pods(name):
            self.kubernetes.add(workload)

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Call it in `seconds`."""
        self._later.append(asyncio.get_running_loop().call_later(seconds, call))

    def end(self) -> None:
        """Kill everything, and let nothing happen any more."""
        for timer in self._later:
            timer.cancel()
        for process in self.processes:
            process.kill()

    def start(self) -> None:
        """Start whatever does not run."""
        for process in self.processes:
            process.start(self.tasks)

    def restart_after(self, process: Process, seconds: float) -> None:
        """Start the process again, later."""
        self.later(seconds, lambda: process.start(self.tasks))

    async def until(self, what: Callable[[], str], check: Callable[[], bool], limit: float = 120.0) -> None:
        """Wait until `check` holds. Raises AssertionError after `limit` virtual seconds."""
        changed = asyncio.Event()
        heard: Callable[[Any], None] = lambda _: changed.set()  # noqa: E731
        self.store.on_write.append(heard)
        try:
            async with asyncio.timeout(limit):
                while not check():
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {limit:.0f} s: {what()}; {self.describe()}") from None
        finally:
            self.store.on_write.remove(heard)

    def describe(self) -> str:
        """Where everything stands, for people."""
        plans = [(p["metadata"]["name"], p.get("status")) for p in self.store.list(REPARTITION_PLANS)]
        claims = [
            (c["metadata"]["name"], c.get("status", {}).get("phase"), c.get("status", {}).get("explanation"))
            for c in self.store.list(GPU_PARTITION_CLAIMS)
        ]
        pods = [(p["metadata"]["name"], p["spec"].get("nodeName"), p["status"]["phase"]) for p in self.store.list(PODS)]
        died = [(process.name, process.died) for process in self.processes if process.died]
        return f"plans {plans}; claims {claims}; pods {pods}; died {died}"

    def plan(self, name: str) -> Manifest:
        """The plan of that name."""
        return self.store.get(REPARTITION_PLANS, name)

    def phase(self, name: str) -> str:
        """Where that plan stands."""
        phase: str = (self.plan(name).get("status") or {}).get("phase", "Pending")
        return phase


MOST_UNAVAILABLE: Final = 2
"""What the policy lets be down at once."""


def _policy(divide: str) -> Manifest:
    repartition = {
        "enabled": True,
        "approval": "Auto",
        "divide": divide,
        "cooldown": "1s",
        "maxUnavailablePods": MOST_UNAVAILABLE,
        "taintNode": True,  # the stricter case: AMD's plugins, which tolerate no taint, have to come back
    }
    return {"metadata": {"name": "all"}, "spec": {"validatedOnly": False, "repartition": repartition}}


def model(name: str, replicas: int = 1) -> Workload:
    """A small model that asks for one partition a pod."""
    metadata = {
        "labels": {"app": name, "model": "true", "pod-template-hash": f"{name}-1"},
        "annotations": {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": MODEL},
    }
    spec = {"containers": [{"name": "main", "image": "model"}]}
    return Workload(name, {"metadata": metadata, "spec": spec}, replicas)


def amd_pods(node: str) -> tuple[Workload, Workload]:
    """AMD's metrics exporter and its DRA driver's plugin on a node."""
    exporter = {"labels": {"app": EXPORTER}}
    plugin = {"labels": {"app.kubernetes.io/component": "kubeletplugin"}}
    images = ("rocm/device-metrics-exporter:v1", "rocm/k8s-gpu-dra-driver:v1")
    named = zip(("exporter", "plugin"), (exporter, plugin), images, strict=True)
    made = [
        Workload(
            f"{name}-{node}",
            {"metadata": metadata, "spec": {"containers": [{"name": "main", "image": image}]}},
            namespace=AMD,
            node=node,
        )
        for name, metadata, image in named
    ]
    return made[0], made[1]


@asynccontextmanager
async def world(*, seed: int = 1, gpus: int = 2, divide: str = "WhenFull") -> AsyncIterator[World]:
    """A cluster whose nodes have this many GPUs each; everything of it ends with the block.

    Unless the policy says `divide` First, all plans are those that are written for the case.
    """
    # What is left to chance follows the seed: informers spread their watches' ends.
    with patch("controller.runtime.cache.informer.Random", lambda: Random(seed)):
        async with _running(seed, gpus, divide) as made:
            yield made


@asynccontextmanager
async def _running(seed: int, gpus: int, divide: str) -> AsyncIterator[World]:
    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        made = World(tasks, seed, gpus, divide)
        running = tasks.create_task(made.kubernetes.run(), name="kubernetes")
        try:
            yield made
        except Exception as error:  # noqa: BLE001 - told as it is, and not in a group
            failure = error
        running.cancel()
        made.end()
    if failure is not None:
        raise failure
