"""The commands of docs/backup.md: what is kept serves again, and records that are lost come back on the same devices."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.plane import Plane
from tests.docs.page_commands import block, run
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, running, service

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

POLICY = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "kept"},
    "spec": {"allowedModes": ["CPX/NPS4"]},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Two nodes, a policy, a service of two pods and an annotated Deployment of three, all of which run."""
    modes = {"a": "CPX/NPS4", "b": "CPX/NPS4"}
    async with running(plane, tmp_path_factory.mktemp("backup"), modes, gpus=1) as made:
        await made.rule(POLICY)
        await made.create(made.services_path, service("chat", replicas=2))
        await made.create(made.deployments_path, deployment("plain", 3, opt_in()))
        await made.all_allocated(5)
        yield made


async def held(cluster: Running) -> dict[str, Any]:
    """By the uid of each pod, what it holds."""
    return {
        claim["spec"]["podRef"]["uid"]: (
            claim["status"]["allocation"]["node"],
            claim["status"]["allocation"]["devices"],
        )
        for claim in await cluster.claims()
        if claim.get("status", {}).get("phase") == "Allocated"
    }


async def serves(cluster: Running) -> Object | None:
    found = await cluster.find(f"{cluster.services_path}/chat")
    told = {one["type"]: one["status"] for one in (found or {}).get("status", {}).get("conditions", ())}
    return found if told.get("Ready") == "True" else None


async def test_lost_records_come_back_with_the_same_devices_and_no_pod_is_restarted(
    cluster: Running, tmp_path: Path
) -> None:
    before, claims = await held(cluster), {one["metadata"]["uid"] for one in await cluster.claims()}
    told = await run(
        block("backup.md", "Only our records are gone"), cluster.plane.kubeconfig, tmp_path, NAMESPACE=cluster.namespace
    )
    assert told.count("deleted") == 5

    async def again() -> bool:
        found = await cluster.claims()
        return not claims & {one["metadata"]["uid"] for one in found} and await held(cluster) == before

    await cluster.eventually("every claim is made again, and each pod has what it had", again)
    assert {one["metadata"]["uid"] for one in await cluster.pods()} == before.keys()


def hardware(gpu_node: Object | None) -> list[tuple[str, str, list[str]]]:
    """GPUs, modes and devices; who holds them is told a moment later, now and then."""
    gpus = (gpu_node or {}).get("status", {}).get("gpus", ())
    return [(gpu["bdf"], gpu["mode"], [one["device"] for one in gpu["partitions"]]) for gpu in gpus]


async def test_lost_inventories_come_back(cluster: Running) -> None:
    before = await held(cluster)
    paths = [f"{AIM}/gpunodes/{name}" for name in cluster.names.values()]
    known = [await cluster.get(path) for path in paths]
    for path in paths:
        await cluster.delete(path)

    async def again() -> bool:
        found = [await cluster.find(path) for path in paths]
        anew = all(
            one is None or one["metadata"]["uid"] != old["metadata"]["uid"]
            for one, old in zip(found, known, strict=True)
        )
        return anew and list(map(hardware, found)) == list(map(hardware, known))

    await cluster.eventually("the agents tell their GPUs again", again)
    assert await held(cluster) == before


async def test_what_is_kept_serves_again(cluster: Running, tmp_path: Path) -> None:
    await cluster.eventually("it serves", lambda: serves(cluster))
    kept = await cluster.get(f"{cluster.services_path}/chat")
    await run(block("backup.md", "Keep what is yours"), cluster.plane.kubeconfig, tmp_path)
    await cluster.delete(f"{cluster.services_path}/chat")
    await cluster.delete(f"{AIM}/gpusharingpolicies/kept")

    async def ended() -> bool:
        return len(await cluster.claims()) == 3 and len(await cluster.resource_claims()) == 3

    await cluster.eventually("its pods have ended, and the others run on", ended)

    await run(block("backup.md", "Put it back"), cluster.plane.kubeconfig, tmp_path)

    back = await cluster.eventually("it serves again", lambda: serves(cluster))
    assert back["spec"] == kept["spec"]
    assert back["metadata"]["uid"] != kept["metadata"]["uid"]
    assert (await cluster.get(f"{AIM}/gpusharingpolicies/kept"))["spec"]["allowedModes"] == ["CPX/NPS4"]
    await cluster.all_allocated(5)


async def test_a_group_whose_claim_is_gone_by_force_is_founded_anew_once_its_members_are_deleted(
    cluster: Running,
) -> None:
    group = opt_in(isolation="cooperative", share_group="chat", max_concurrency="4")
    await cluster.create(cluster.deployments_path, deployment("members", 2, group))

    async def shared() -> Object | None:
        found = [one for one in await cluster.claims() if one["spec"].get("shareGroup")]
        pods = {one["metadata"]["uid"] for one in await cluster.pods()}
        for one in found:
            members = {share["pod"]["uid"] for share in one.get("status", {}).get("shares", ())}
            if one.get("status", {}).get("phase") == "Allocated" and len(members) == 2 and members <= pods:
                return one
        return None

    lost = await cluster.eventually("two members share a partition", shared)
    path = f"{cluster.claims_path}/{lost['metadata']['name']}"
    operator = cluster.plane.admin.acting_as("system:serviceaccount:aim-gpu-system:aim-gpu-operator")
    await cluster.delete(path)
    await asyncio.to_thread(operator.patch, path, {"metadata": {"finalizers": None}})
    for share in lost["status"]["shares"]:
        await cluster.delete(f"{cluster.pods_path}/{share['pod']['name']}")

    async def again() -> bool:
        found = await shared()
        return found is not None and found["metadata"]["uid"] != lost["metadata"]["uid"]

    await cluster.eventually("their successors found the group anew", again)
