"""AIM profiles of annotated pods on the real control plane: one ConfigMap for all that ask alike, before any may start."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.plane import Plane, remove_nodes
from e2e.run.install import add_gpu_nodes
from e2e.run.processes import start_agents
from tests.integration.operator.running import Object, Running, deployment, opt_in, pod, running

pytestmark = [pytest.mark.plane, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

GENERAL = "/workspace/aim-runtime/profiles/custom/general"
CPX = "vllm-mi300x-bf16-tp1-latency-cpx-nps4"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One MI300X in CPX."""
    folder: Path = tmp_path_factory.mktemp("pod-profiles")
    async with running(plane, folder, {"a": "CPX/NPS4"}, gpus=1) as started:
        yield started


def maps_path(cluster: Running, name: str = "") -> str:
    return f"/api/v1/namespaces/{cluster.namespace}/configmaps{name and f'/{name}'}"


def mounted(one: Object) -> str:
    """The ConfigMap where AIM looks in the first container."""
    mounts = {mount["mountPath"]: mount["name"] for mount in one["spec"]["containers"][0]["volumeMounts"]}
    (volume,) = [each for each in one["spec"]["volumes"] if each["name"] == mounts[GENERAL]]
    name: str = volume["configMap"]["name"]
    return name


async def profiles_told(cluster: Running, *pods: Object) -> set[str]:
    """What claims and pods say, which must be the same."""
    told = {one["metadata"]["name"]: one["metadata"]["annotations"]["aim.amd.com/profile-id"] for one in pods}
    claims = {claim["spec"]["podRef"]["name"]: claim["status"]["allocation"] for claim in await cluster.claims()}
    assert told == {name: claims[name]["profile"] for name in told}
    return set(told.values())


async def owned(cluster: Running, name: str, *kinds: str) -> None:
    """Wait until the ConfigMap has owners of these kinds."""

    async def check() -> bool:
        found = await cluster.get(maps_path(cluster, name))
        return sorted(owner["kind"] for owner in found["metadata"]["ownerReferences"]) == sorted(kinds)

    await cluster.eventually(f"{name} is owned by {kinds}", check)


async def gone(cluster: Running, path: str) -> None:
    async def check() -> bool:
        return await cluster.find(path) is None

    await cluster.eventually(f"{path} is gone", check)


async def test_pods_that_ask_alike_share_one_config_map_which_goes_with_the_last_of_them(cluster: Running) -> None:
    await cluster.create(cluster.deployments_path, deployment("chat", 3, opt_in()))
    await cluster.all_allocated(3)
    await cluster.create(cluster.pods_path, pod("bare", opt_in()))
    await cluster.all_allocated(4)
    pods = await cluster.pods()
    assert await profiles_told(cluster, *pods) == {f"custom/general/{CPX}"}
    (name,) = set(map(mounted, pods))
    assert f"{CPX}.yaml" in (await cluster.get(maps_path(cluster, name)))["data"]
    await owned(cluster, name, "Pod", "ReplicaSet")
    await cluster.delete(f"{cluster.deployments_path}/chat")
    await owned(cluster, name, "Pod")
    await cluster.delete(f"{cluster.pods_path}/bare")
    await gone(cluster, maps_path(cluster, name))


async def test_a_config_map_of_somebody_elses_holds_the_pod_and_is_left_alone(cluster: Running) -> None:
    asked = pod("held", opt_in(max_concurrency="1"))
    dry = await cluster.create(f"{cluster.pods_path}?dryRun=All", asked)
    path = maps_path(cluster, mounted(dry))
    assert await cluster.find(path) is None, "a dry run leaves nothing"
    await cluster.create(maps_path(cluster), {"metadata": {"name": mounted(dry)}, "data": {"mine": "1"}})
    await cluster.create(cluster.pods_path, asked)
    claim = await cluster.claim_where(reason="NameTaken")
    assert claim["status"].get("allocation") is None
    assert (await cluster.get(path))["data"] == {"mine": "1"}

    await cluster.patch(path, {"metadata": {"labels": {"aim.amd.com/profiles": "pods"}}})
    await cluster.all_allocated(1)
    assert f"{CPX}.yaml" in (await cluster.get(path))["data"]
    await cluster.delete(f"{cluster.pods_path}/held")
    await gone(cluster, path)


async def test_on_a_product_that_has_just_come_a_pod_starts_with_that_products_profile(
    cluster: Running, tmp_path: Path
) -> None:
    new = f"new-{cluster.namespace}"
    here, there = pod("here", opt_in()), pod("there", opt_in(), nodeSelector={"kubernetes.io/hostname": new})
    for one in (here, there):
        await cluster.create(cluster.pods_path, one)
    await cluster.all_allocated(1)
    name = mounted(await cluster.get(f"{cluster.pods_path}/there"))
    assert not any("mi325x" in file for file in (await cluster.get(maps_path(cluster, name)))["data"])
    await asyncio.to_thread(add_gpu_nodes, cluster.plane, [new])
    arguments = ("--gpus", "1", "--product", "MI325X", "--heartbeat-seconds", "1")
    try:
        async with start_agents(cluster.plane, tmp_path, {new: "CPX/NPS1"}, arguments=arguments):
            await cluster.all_allocated(2)
            told: Any = await cluster.get(f"{cluster.pods_path}/there")
            profile = CPX.replace("mi300x", "mi325x").replace("nps4", "nps1")
            assert await profiles_told(cluster, told) == {f"custom/general/{profile}"}
            assert f"{profile}.yaml" in (await cluster.get(maps_path(cluster, name)))["data"]
            for made in ("here", "there"):
                await cluster.delete(f"{cluster.pods_path}/{made}")
    finally:
        await asyncio.to_thread(remove_nodes, cluster.plane, [new])
