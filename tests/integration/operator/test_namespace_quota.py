"""A namespace whose ResourceQuota allows fewer devices than its pods ask for, judged by the real API server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from e2e.plane import Plane
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, pod, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

DEVICES = "gpu.amd.com.deviceclass.resource.k8s.io/devices"
CLAIMS = "count/resourceclaims.resource.k8s.io"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A node with one GPU in DPX: two partitions."""
    async with running(plane, tmp_path_factory.mktemp("namespace-quota"), {"a": "DPX/NPS1"}, gpus=1) as made:
        yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def emptied(cluster: Running) -> AsyncIterator[None]:
    """Each test finds an empty namespace, though the one before it failed."""
    yield
    await empty(cluster)


def quotas(cluster: Running) -> str:
    return f"/api/v1/namespaces/{cluster.namespace}/resourcequotas"


@asynccontextmanager
async def quota(cluster: Running, name: str, **hard: str) -> AsyncIterator[str]:
    """A ResourceQuota that Kubernetes has counted; the path of it."""
    path = f"{quotas(cluster)}/{name}"
    await cluster.create(quotas(cluster), {"metadata": {"name": name}, "spec": {"hard": hard}})

    async def counted() -> bool:
        return bool(hard.keys() <= (await cluster.get(path)).get("status", {}).get("used", {}).keys())

    await cluster.eventually("the quota is counted", counted)
    try:
        yield path
    finally:
        await cluster.delete(path)


async def empty(cluster: Running) -> None:
    """Nothing of the namespace asks for a device any more."""
    for one in await cluster.items(cluster.deployments_path):
        await cluster.delete(f"{cluster.deployments_path}/{one['metadata']['name']}")
    for one in await cluster.pods():
        await cluster.delete(f"{cluster.pods_path}/{one['metadata']['name']}")

    async def gone() -> bool:
        return not (await cluster.pods() or await cluster.claims() or await cluster.resource_claims())

    await cluster.eventually("pods and claims are gone", gone)


def message(claim: Object) -> str:
    (found,) = [one["message"] for one in claim["status"]["conditions"] if one["type"] == "Bound"]
    return str(found)


async def test_over_a_quota_the_claim_says_so_and_leaves_its_partition_to_others(cluster: Running) -> None:
    async with quota(cluster, "gpus", **{DEVICES: "1"}):
        await cluster.create(cluster.deployments_path, deployment("two", 2, opt_in()))
        await cluster.all_allocated(1)
        waits = await cluster.claim_where(phase="Pending", reason="QuotaExceeded")
        assert f"ResourceQuota gpus of namespace {cluster.namespace} is used up" in message(waits)
        assert f"asks for 1 of {DEVICES}, 1 of 1 are used (0 left)" in message(waits)

        async def told() -> bool:
            events = await cluster.items(f"/apis/events.k8s.io/v1/namespaces/{cluster.namespace}/events")
            return any(one["reason"] == "QuotaExceeded" for one in events)

        await cluster.eventually("an event says so", told)

        other = f"{cluster.namespace}-other"
        await cluster.create("/api/v1/namespaces", {"metadata": {"name": other}})
        try:
            await cluster.create(f"/api/v1/namespaces/{other}/pods", pod("neighbour", opt_in()))

            async def had() -> bool:
                found = await cluster.items(f"{AIM}/namespaces/{other}/gpupartitionclaims")
                return any(one.get("status", {}).get("phase") == "Allocated" for one in found)

            await cluster.eventually("the partition goes to another namespace", had)
        finally:
            await cluster.delete(f"/api/v1/namespaces/{other}/pods/neighbour")
            await cluster.delete(f"/api/v1/namespaces/{other}")


async def test_it_is_bound_once_the_quota_is_raised(cluster: Running) -> None:
    async with quota(cluster, "gpus", **{DEVICES: "0"}) as path:
        await cluster.create(cluster.deployments_path, deployment("one", 1, opt_in()))
        await cluster.claim_where(phase="Pending", reason="QuotaExceeded")
        await cluster.patch(path, {"spec": {"hard": {DEVICES: "1"}}})
        await cluster.all_allocated(1)


async def test_it_is_bound_once_another_model_has_ended(cluster: Running) -> None:
    async with quota(cluster, "claims", **{CLAIMS: "1"}):
        await cluster.create(cluster.pods_path, pod("first", opt_in()))
        (had,) = await cluster.all_allocated(1)
        await cluster.create(cluster.pods_path, pod("second", opt_in()))
        waits = await cluster.claim_where(phase="Pending", reason="QuotaExceeded")
        assert f"asks for 1 of {CLAIMS}, 1 of 1 are used (0 left)" in message(waits)
        await cluster.delete(f"{cluster.pods_path}/{had['spec']['podRef']['name']}")

        async def second() -> Any:
            found = [c for c in await cluster.claims() if c["metadata"]["name"] == waits["metadata"]["name"]]
            return [c for c in found if c.get("status", {}).get("phase") == "Allocated"]

        await cluster.eventually("the second one has its place", second)


async def test_a_share_group_waits_as_one_and_is_founded_once_it_may(cluster: Running) -> None:
    shared = opt_in(isolation="cooperative", share_group="chat", max_concurrency="4")
    async with quota(cluster, "gpus", **{DEVICES: "0"}) as path:
        for name in ("m-0", "m-1"):
            await cluster.create(cluster.pods_path, pod(name, shared))
        waits = await cluster.claim_where(phase="Pending", reason="QuotaExceeded")
        assert waits["spec"]["shareGroup"] == "chat"
        await cluster.patch(path, {"spec": {"hard": {DEVICES: "1"}}})
        (held,) = await cluster.all_allocated(1)

        async def shared_out() -> bool:
            (claim,) = await cluster.claims()
            return len(claim["status"].get("shares", ())) == 2

        await cluster.eventually("both members have a share", shared_out)
        assert held["metadata"]["name"] == waits["metadata"]["name"]
