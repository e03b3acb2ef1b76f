"""Two namespaces and their quotas on one node of two partitions."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from e2e.plane import Plane
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, pod, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

POLICY = f"{AIM}/gpusharingpolicies/quotas"
HALF = "96Gi"
"""A partition of an MI300X in DPX has a little less."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A node with one GPU in DPX, and beside the test's namespace one that is promised half of it."""
    async with running(plane, tmp_path_factory.mktemp("quotas"), {"a": "DPX/NPS1"}, gpus=1) as made:
        await made.create("/api/v1/namespaces", {"metadata": {"name": promised(made)}})
        quotas = [{"namespace": promised(made), "min": HALF, "max": HALF}, {"namespace": made.namespace, "min": "1Gi"}]
        spec = {"quotas": quotas}
        await made.rule(
            {
                "apiVersion": "aim.amd.com/v1beta1",
                "kind": "GPUSharingPolicy",
                "metadata": {"name": "quotas"},
                "spec": spec,
            }
        )
        try:
            yield made
        finally:
            await remove(made)


def promised(cluster: Running) -> str:
    return f"{cluster.namespace}-promised"


def pods_of(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


async def remove(cluster: Running) -> None:
    for one in await cluster.items(pods_of(promised(cluster))):
        await cluster.delete(f"{pods_of(promised(cluster))}/{one['metadata']['name']}")

    async def empty() -> bool:
        return not await cluster.items(pods_of(promised(cluster)))

    await cluster.eventually("pods of the other namespace are gone", empty)
    await cluster.delete(f"/api/v1/namespaces/{promised(cluster)}")


async def claim_of(cluster: Running, name: str) -> Object:
    listed = await cluster.items(f"{AIM}/namespaces/{promised(cluster)}/gpupartitionclaims")
    found = [one for one in listed if one["spec"]["podRef"]["name"] == name]
    return found[0] if found else {}


async def use(cluster: Running) -> dict[str, tuple[bool, bool]]:
    """By namespace, whether anything is used, and anything borrowed, as the policy's status tells."""
    rows = (await cluster.get(POLICY)).get("status", {}).get("quotas", ())
    return {row["namespace"]: (row["usedBytes"] > 0, row["borrowedBytes"] > 0) for row in rows}


async def test_what_was_lent_is_taken_back_up_to_the_promise_and_never_more(cluster: Running) -> None:
    await cluster.create(cluster.deployments_path, deployment("borrower", 2, opt_in()))
    await cluster.all_allocated(2)

    async def lent() -> bool:
        found = await use(cluster)
        return found == {cluster.namespace: (True, True), promised(cluster): (False, False)}

    await cluster.eventually("the policy tells that both are borrowed", lent)

    await cluster.create(pods_of(promised(cluster)), pod("first", opt_in()))

    async def first() -> bool:
        return bool((await claim_of(cluster, "first")).get("status", {}).get("phase") == "Allocated")

    await cluster.eventually("the promised half is had", first)

    await cluster.create(pods_of(promised(cluster)), pod("second", opt_in()))

    async def bounded() -> bool:
        text = (await claim_of(cluster, "second")).get("status", {}).get("explanation", "")
        return "of max 96.0 GiB on the nodes of policy quotas" in text

    await cluster.eventually("beyond the max nothing is had", bounded)
    reasons = {one["type"]: one["reason"] for one in (await claim_of(cluster, "second"))["status"]["conditions"]}
    assert reasons["Bound"] == "QuotaExceeded"

    async def told() -> bool:
        return await use(cluster) == {cluster.namespace: (True, True), promised(cluster): (True, False)}

    await cluster.eventually("the policy tells who has what", told)
    (left,) = [one for one in await cluster.claims() if one.get("status", {}).get("phase") == "Allocated"]
    assert left["metadata"]["namespace"] == cluster.namespace
