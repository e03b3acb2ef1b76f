"""Nodes that others keep full or to themselves, and a GPU that is to be whole: one operator and two nodes for all.

Each pod of ours would go to node a, whose first GPU is the fullest, were it not for what is tested.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from controller.reconcilers.rollout.deletion_cost import ANNOTATION, FIRST
from e2e.plane import NodeShape, Plane
from tests.integration.operator.running import Object, Running, deployment, opt_in, pod, running
from tests.integration.operator.short_patience import PROGRAM

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

SHAPE = NodeShape(cpu="128", labels={"aim.amd.com/managed": "true"})
TAINT = {"key": "dedicated", "value": "others", "effect": "NoSchedule"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Two nodes with two GPUs in DPX, of which pod `first` has half of one of node a's."""
    folder = tmp_path_factory.mktemp("crowded")
    nodes = {"a": "DPX/NPS1", "b": "DPX/NPS1"}
    async with running(plane, folder, nodes, gpus=2, shape=SHAPE, program=PROGRAM) as made:
        await made.create(made.pods_path, on_a(made, "first"))
        await made.all_allocated(1)
        yield made


def on_a(cluster: Running, name: str, **spec: Any) -> Object:
    """A pod of ours for node a alone."""
    return pod(name, opt_in(), nodeSelector={"kubernetes.io/hostname": cluster.names["a"]}, **spec)


async def claim_of(cluster: Running, name: str) -> Object:
    found = [one for one in await cluster.claims() if one["spec"]["podRef"]["name"] == name]
    return found[0] if found else {}


async def waits_for(cluster: Running, name: str, reason: str) -> None:
    async def told() -> bool:
        return reason in (await claim_of(cluster, name)).get("status", {}).get("explanation", "")

    await cluster.eventually(f"{name} is told {reason}", told)


async def node_of(cluster: Running, name: str) -> str:
    """The short name of the node on which the pod runs."""

    async def runs() -> str | None:
        found = await cluster.get(f"{cluster.pods_path}/{name}")
        return found["spec"]["nodeName"] if found["status"].get("phase") == "Running" else None

    there = await cluster.eventually(f"{name} runs", runs)
    return next(short for short, name in cluster.names.items() if name == there)


async def leave(cluster: Running, *names: str) -> None:
    for name in names:
        await cluster.delete(f"{cluster.pods_path}/{name}")

    async def gone() -> bool:
        left = {claim["spec"]["podRef"]["name"] for claim in await cluster.claims()}
        return left.isdisjoint(names)

    await cluster.eventually(f"{names} are gone", gone)


async def test_a_tainted_node_gets_only_who_tolerates_it_until_it_is_tainted_no_more(cluster: Running) -> None:
    node = f"/api/v1/nodes/{cluster.names['a']}"
    await cluster.patch(node, {"spec": {"taints": [TAINT]}})
    await cluster.create(cluster.pods_path, on_a(cluster, "waits"))
    await waits_for(cluster, "waits", "TaintNotTolerated")
    await cluster.create(cluster.pods_path, pod("elsewhere", opt_in()))
    assert await node_of(cluster, "elsewhere") == "b"
    await cluster.create(cluster.pods_path, pod("tolerates", opt_in(), tolerations=[TAINT | {"operator": "Equal"}]))
    assert await node_of(cluster, "tolerates") == "a"
    await cluster.patch(node, {"spec": {"taints": None}})
    assert await node_of(cluster, "waits") == "a"
    await leave(cluster, "waits", "elsewhere", "tolerates")


def greedy(made: Object, cpu: str) -> Object:
    made["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu
    return made


async def test_a_node_whose_cpu_strangers_have_is_passed_over_until_they_leave(cluster: Running) -> None:
    host = {"kubernetes.io/hostname": cluster.names["a"]}
    await cluster.create(cluster.pods_path, greedy(pod("stranger", {}, nodeSelector=host), "127"))
    assert await node_of(cluster, "stranger") == "a"
    await cluster.create(cluster.pods_path, greedy(on_a(cluster, "waits"), "2"))
    await waits_for(cluster, "waits", "NodeResourcesShort")
    await cluster.create(cluster.pods_path, greedy(pod("elsewhere", opt_in()), "2"))
    assert await node_of(cluster, "elsewhere") == "b"
    await leave(cluster, "stranger")
    assert await node_of(cluster, "waits") == "a"
    await leave(cluster, "waits", "elsewhere")


async def test_a_replica_set_that_shrinks_gives_up_the_pod_that_leaves_a_whole_gpu(cluster: Running) -> None:
    """The older pod, which a ReplicaSet would rather keep."""
    path = f"{cluster.deployments_path}/web"
    made = deployment("web", 1, opt_in(), nodeSelector={"kubernetes.io/hostname": cluster.names["a"]})
    await cluster.create(cluster.deployments_path, made)
    (older,) = await serving(cluster, 1)
    await cluster.create(cluster.pods_path, on_a(cluster, "beside"))
    assert await node_of(cluster, "beside") == "a"
    await cluster.patch(f"{path}/scale", {"spec": {"replicas": 2}})
    (younger,) = await serving(cluster, 2) - {older}
    await leave(cluster, "first")

    async def costs() -> bool:
        pods = {one["metadata"]["name"]: one["metadata"]["annotations"].get(ANNOTATION) for one in await cluster.pods()}
        return (pods[older], pods[younger]) == (FIRST, None)

    await cluster.eventually("the older pod is to go first, and no other", costs)
    await cluster.patch(f"{path}/scale", {"spec": {"replicas": 1}})
    assert await serving(cluster, 1) == {younger}


async def serving(cluster: Running, count: int) -> set[str]:
    """Names of the Deployment's pods once there are so many and each has its partition."""

    async def found() -> set[str] | None:
        held = {
            claim["spec"]["podRef"]["name"]
            for claim in await cluster.claims()
            if claim.get("status", {}).get("phase") == "Allocated"
        }
        pods = {one["metadata"]["name"] for one in await cluster.pods() if one["metadata"].get("labels", {}).get("app")}
        return pods if len(pods) == count and pods <= held else None

    names: set[str] = await cluster.eventually(f"{count} pods of web serve", found)
    return names
