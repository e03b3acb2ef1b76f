"""Memory errors of a GPU where the policy says `onUnhealthy: Replace`: who is moved, how many at once, who is not, and
what becomes of the GPU.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.reconcilers.repartition_plan.successors import EARLIER_SECONDS
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS
from e2e.plane import AdminError, Plane
from e2e.run.processes import OPERATOR
from tests.integration.node_plugins.conftest import ready
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

REPLICAS, MOST_DOWN = 2, 1
LIMIT_SECONDS = 60.0
POLICY: Object = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "all"},
    "spec": {"onUnhealthy": "Replace", "repartition": {"maxUnavailablePods": MOST_DOWN}},
}


async def test_claims_leave_a_gpu_with_memory_errors_one_by_one_and_it_stays_out_of_use_until_a_person_says(
    plane: Plane, tmp_path: Path
) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"faults": []}))
    arguments = ("--faults", str(faults))
    nodes = {"a": "DPX/NPS1", "b": "CPX/NPS1"}
    async with running(plane, tmp_path, nodes, gpus=1, agent_arguments=arguments) as cluster:
        await cluster.rule(POLICY)
        await _serve(cluster, "b", "elsewhere", 1)
        await _serve(cluster, "a", "web", REPLICAS)
        untouched = await _places(cluster, "elsewhere")
        (sick,) = {device["bdf"] for device in (await _places(cluster, "web")).values()}

        await _agents_find(cluster, faults, [{"fault": "MemoryErrors", "node": cluster.names["a"], "gpu": sick}])
        await _told_unhealthy(cluster)
        await _quarantined(cluster, sick, "every partition of the GPU is in quarantine")
        await _old_enough(cluster)
        async with _seen(cluster) as (before, events):
            await _broken_long_ago(cluster)
            fewest = await _fewest_until_moved(cluster, before, events)
        assert fewest == REPLICAS - MOST_DOWN
        moved = await _places_of_all(cluster, "web")
        assert {device["pool"] for device in moved.values()} == {cluster.names["b"]}
        assert await _places(cluster, "elsewhere") == untouched
        assert not [one for one in await _conditions(cluster, "elsewhere") if one["type"] == "Healthy"]
        await _no_place_is_kept(cluster)

        await _take_out_of_quarantine(cluster)
        await _quarantined(cluster, sick, "the entries come back while the GPU counts errors")
        await _agents_find(cluster, faults, [])  # it was reset
        await _healthy(cluster)
        await _take_out_of_quarantine(cluster)
        await _serve(cluster, "a", "later", REPLICAS)
        assert {device["bdf"] for device in (await _places(cluster, "later")).values()} == {sick}


async def _serve(cluster: Running, node: str, name: str, replicas: int) -> None:
    """A Deployment whose first pods come to one node: the others are cordoned until they serve."""
    others = [f"/api/v1/nodes/{full}" for short, full in cluster.names.items() if short != node]
    for other in others:
        await cluster.patch(other, {"spec": {"unschedulable": True}})
    await cluster.create(cluster.deployments_path, deployment(name, replicas, opt_in()))

    async def serve() -> bool:
        pods = await _living(cluster, name)
        return len(await _places(cluster, name)) == len([one for one in pods if ready([one])]) == replicas

    await cluster.eventually(f"{name} serves", serve, LIMIT_SECONDS)
    for other in others:
        await cluster.patch(other, {"spec": {"unschedulable": False}})


async def _living(cluster: Running, app: str) -> list[Object]:
    pods = [one for one in await cluster.pods() if one["metadata"].get("labels", {}).get("app") == app]
    return [one for one in pods if "deletionTimestamp" not in one["metadata"]]


async def _claims(cluster: Running, app: str) -> list[Object]:
    """The allocated claims of the app's pods that are not ending."""
    uids = {one["metadata"]["uid"] for one in await _living(cluster, app)}
    claims = [claim for claim in await cluster.claims() if claim["spec"]["podRef"]["uid"] in uids]
    return [claim for claim in claims if claim.get("status", {}).get("phase") == "Allocated"]


async def _places(cluster: Running, app: str) -> Mapping[str, Object]:
    """The device of each allocated claim of the app's, by the claim's uid."""
    claims = await _claims(cluster, app)
    return {claim["metadata"]["uid"]: claim["status"]["allocation"]["devices"][0] for claim in claims}


async def _places_of_all(cluster: Running, app: str) -> Mapping[str, Object]:
    """The same once every replica's claim is told to be allocated: a pod may serve a moment before."""

    async def all_told() -> bool:
        return len(await _places(cluster, app)) == REPLICAS

    await cluster.eventually(f"the claims of {app} are told to be allocated", all_told, LIMIT_SECONDS)
    return await _places(cluster, app)


async def _conditions(cluster: Running, app: str) -> list[Object]:
    return [one for claim in await _claims(cluster, app) for one in claim["status"].get("conditions", ())]


async def _agents_find(cluster: Running, file: Path, faults: list[Object]) -> None:
    """The hardware does this from now on: agents read the script when they start."""
    await cluster.agents.kill()
    await asyncio.to_thread(file.write_text, json.dumps({"faults": faults}))
    await cluster.agents.start()


async def _told_unhealthy(cluster: Running) -> None:
    async def told() -> bool:
        found = [one for one in await _conditions(cluster, "web") if one["type"] == "Healthy"]
        return [(one["status"], one["reason"]) for one in found] == [("False", "PartitionUnhealthy")] * REPLICAS

    await cluster.eventually("the claims say that their partitions broke", told, LIMIT_SECONDS)


async def _gpu_node(cluster: Running, node: str) -> Object:
    return await cluster.get(f"{AIM}/gpunodes/{cluster.names[node]}")


async def _quarantined(cluster: Running, bdf: str, what: str) -> None:
    async def so() -> bool:
        entries = (await _gpu_node(cluster, "a"))["spec"].get("quarantine", [])
        return sorted((entry["bdf"], entry["partition"]) for entry in entries) == [(bdf, 0), (bdf, 1)]

    await cluster.eventually(what, so, LIMIT_SECONDS)


async def _old_enough(cluster: Running) -> None:
    """A pod made a moment before an eviction could be its successor, as far as the operator can tell."""

    async def so() -> bool:
        made = [datetime.fromisoformat(one["metadata"]["creationTimestamp"]) for one in await _living(cluster, "web")]
        return bool((datetime.now(UTC) - max(made)).total_seconds() > EARLIER_SECONDS + 2)

    await cluster.eventually("the pods are no newcomers", so, LIMIT_SECONDS)


async def _broken_long_ago(cluster: Running) -> None:
    """The fault has been told for long enough: written in the operator's name, for nobody else may."""
    admin = cluster.plane.admin.acting_as(OPERATOR)

    async def put_back() -> bool:
        for claim in await _claims(cluster, "web"):
            conditions = claim["status"]["conditions"]
            for condition in conditions:
                if condition["type"] == "Healthy":
                    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
            version = {"resourceVersion": claim["metadata"]["resourceVersion"]}
            path = f"{cluster.claims_path}/{claim['metadata']['name']}/status"
            try:
                await asyncio.to_thread(admin.patch, path, {"metadata": version, "status": {"conditions": conditions}})
            except AdminError as error:
                if error.status not in (404, 409):
                    raise
                return False
        return True

    await cluster.eventually("the conditions' beginning is put back", put_back, LIMIT_SECONDS)


@asynccontextmanager
async def _seen(cluster: Running) -> AsyncIterator[tuple[list[Object], AsyncIterator[tuple[str, Any]]]]:
    """The namespace's pods at one moment, and every change from then on, in order."""
    found = await cluster.get(cluster.pods_path)
    version = found["metadata"]["resourceVersion"]
    configuration = ClientConfiguration.from_kubeconfig(cluster.plane.kubeconfig)
    async with (
        Client(configuration, user_agent="monitor") as client,
        aclosing(client.watch(PODS, cluster.namespace, resource_version=version)) as events,
    ):
        yield found["items"], events


async def _fewest_until_moved(cluster: Running, before: list[Object], events: AsyncIterator[tuple[str, Any]]) -> int:
    """The fewest pods of web that served at any moment, until all of them serve from the other node."""
    pods = {one["metadata"]["uid"]: one for one in before if one["metadata"].get("labels", {}).get("app") == "web"}
    fewest = REPLICAS
    async with asyncio.timeout(LIMIT_SECONDS):
        async for kind, found in events:
            if kind == "BOOKMARK" or found["metadata"].get("labels", {}).get("app") != "web":
                continue
            pods[found["metadata"]["uid"]] = found
            if kind == "DELETED":
                del pods[found["metadata"]["uid"]]
            serving = [one for one in pods.values() if ready([one]) and "deletionTimestamp" not in one["metadata"]]
            fewest = min(fewest, len(serving))
            if [one["spec"]["nodeName"] for one in serving] == [cluster.names["b"]] * REPLICAS:
                return fewest
    raise AssertionError("the watch ended before all pods were moved")


async def _no_place_is_kept(cluster: Running) -> None:
    async def given_up() -> bool:
        return not (await _gpu_node(cluster, "b"))["spec"].get("reservations")

    await cluster.eventually("no place is kept any more", given_up, LIMIT_SECONDS)


async def _take_out_of_quarantine(cluster: Running) -> None:
    await cluster.patch(f"{AIM}/gpunodes/{cluster.names['a']}", {"spec": {"quarantine": None}})


async def _healthy(cluster: Running) -> None:
    async def so() -> bool:
        gpus = (await _gpu_node(cluster, "a"))["status"]["gpus"]
        return [one["health"] for gpu in gpus for one in gpu["partitions"]] == ["Healthy"] * REPLICAS

    await cluster.eventually("the agent finds the GPU healthy", so, LIMIT_SECONDS)
