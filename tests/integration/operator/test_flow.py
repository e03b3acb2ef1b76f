"""The flow of a pod on the real control plane: held, sized, placed, bound, confirmed, released."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.operator.running import Object, deployment, opt_in, pod, running, service

pytestmark = pytest.mark.plane


async def test_annotated_deployment_is_bound_and_released(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        await cluster.create(cluster.deployments_path, deployment("chat", 2, opt_in()))
        claims = await cluster.all_allocated(2)
        devices = {claim["status"]["allocation"]["devices"][0]["device"] for claim in claims}
        assert len(devices) == 2

        for one in await cluster.pods():
            await _assert_bound(cluster.names["a"], one, claims)
        for resource_claim in await cluster.resource_claims():
            result = resource_claim["status"]["allocation"]["devices"]["results"][0]
            assert result["device"] in devices
            assert result["pool"] == cluster.names["a"]

        await cluster.patch(f"{cluster.deployments_path}/chat", {"spec": {"replicas": 0}})

        async def empty() -> bool:
            return not await cluster.claims() and not await cluster.resource_claims()

        await cluster.eventually("claims are gone with their pods", empty)


async def _assert_bound(node: str, one: Object, claims: list[Object]) -> None:
    assert not one["spec"].get("schedulingGates")
    assert one["spec"]["nodeName"] == node
    assert one["metadata"]["annotations"]["aim.amd.com/assigned-node"] == node
    assert "max-model-len" in one["metadata"]["annotations"]["aim.amd.com/engine-args"]
    claim = next(c for c in claims if c["spec"]["podRef"]["uid"] == one["metadata"]["uid"])
    assert one["spec"]["resourceClaims"][0]["resourceClaimName"] == claim["metadata"]["name"]


async def test_inference_service_becomes_ready_with_placements(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        await cluster.create(cluster.services_path, service("chat", replicas=2))

        async def ready() -> Object | None:
            found = await cluster.get(f"{cluster.services_path}/chat")
            conditions = {c["type"]: c["status"] for c in found.get("status", {}).get("conditions", ())}
            return found if conditions.get("Ready") == "True" else None

        found = await cluster.eventually("the service is Ready", ready)
        placements = found["status"]["placements"]
        assert {row["node"] for row in placements} == {cluster.names["a"]}
        assert all({"pod", "claim", "bdf", "partition", "mode", "bytes"} <= set(row) for row in placements)
        assert len({(row["bdf"], row["partition"]) for row in placements}) == 2
        assert found["status"]["sizing"]["totalBytes"] <= placements[0]["bytes"]
        made = await cluster.get(f"{cluster.deployments_path}/chat")
        assert made["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0
        assert (await cluster.get(f"/api/v1/namespaces/{cluster.namespace}/services/chat"))["spec"]["ports"]


async def test_succeeded_pod_gives_its_partition_back(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "SPX/NPS1"}, gpus=1) as cluster:
        await cluster.create(cluster.pods_path, pod("first", opt_in(), restartPolicy="Never"))
        await cluster.all_allocated(1)
        await cluster.create(cluster.pods_path, pod("second", opt_in(), restartPolicy="Never"))
        await cluster.claim_where(reason="NoFreePartition")

        finish = {"metadata": {"annotations": {"plane.aim.amd.com/exit-code": "0"}}}
        await cluster.patch(f"{cluster.pods_path}/first", finish)

        async def second_holds_it() -> bool:
            phases = {c["spec"]["podRef"]["name"]: c["status"]["phase"] for c in await cluster.claims()}
            return phases.get("second") == "Allocated" and phases.get("first") in (None, "Released")

        await cluster.eventually("the second pod gets the first one's partition", second_holds_it)


async def test_foreign_holder_is_counted(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=1) as cluster:
        foreign = await hold_any_device(cluster, "foreign", cluster.names["a"])
        await cluster.create(cluster.deployments_path, deployment("chat", 2, opt_in()))
        (claim,) = await cluster.all_allocated(1)
        assert claim["status"]["allocation"]["devices"][0]["device"] != foreign
        waiting = await cluster.claim_where(reason="NoFreePartition")
        assert "not managed here" in waiting["status"]["explanation"]


async def hold_any_device(cluster, name: str, node: str, selector: str | None = None) -> str:  # type: ignore[no-untyped-def]
    """A pod of nobody's with a ResourceClaim of its own on `node`; gives the device it was allocated."""
    exactly: Object = {"deviceClassName": "gpu.amd.com"}
    if selector:
        exactly["selectors"] = [{"cel": {"expression": selector}}]
    request = {"name": "any", "exactly": exactly}
    claim = {"metadata": {"name": name}, "spec": {"devices": {"requests": [request]}}}
    await cluster.create(cluster.resource_claims_path, claim)
    holder = pod(name, {}, nodeSelector={"kubernetes.io/hostname": node})
    holder["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimName": name}]
    holder["spec"]["containers"][0]["resources"]["claims"] = [{"name": "gpu"}]
    await cluster.create(cluster.pods_path, holder)

    async def allocated() -> str | None:
        found = await cluster.get(f"{cluster.resource_claims_path}/{name}")
        results = found.get("status", {}).get("allocation", {}).get("devices", {}).get("results", ())
        return results[0]["device"] if results else None

    device: str = await cluster.eventually(f"the foreign claim {name} is allocated", allocated)
    return device
