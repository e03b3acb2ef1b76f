"""Devices on the real scheduler, and changes of modes under it."""

import asyncio

import pytest

from controller.binding.dra import Pin, PinnedDevice, claim_spec
from controller.exporter.use_for_charging import NEW_SECONDS
from e2e.plane import Plane
from tests.integration.agent.conftest import Object, Site, scrape

pytestmark = pytest.mark.plane

FIRST, SECOND = "0000:05:00.0", "0000:27:00.0"


def hold(
    plane: Plane, namespace: str, node: str, device: str, name: str = "held00000", profile: str = "cpx_nps4"
) -> None:
    """A pod that claims one device of the node, and its claim."""
    render = int(device.rsplit("-", 1)[1])
    spec = claim_spec(Pin(node, node, (PinnedDevice(device, render),), profile))
    claims = f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims"
    plane.admin.create(claims, {"metadata": {"name": name}, "spec": spec})
    pod: Object = {
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "resourceClaims": [{"name": "gpu", "resourceClaimName": name}],
            "containers": [{"name": "main", "image": "example.com/main", "resources": {"claims": [{"name": "gpu"}]}}],
        },
    }
    plane.admin.create(f"/api/v1/namespaces/{namespace}/pods", pod)


def allocated(site: Site, namespace: str, name: str = "held00000") -> list[str]:
    claim = site.get(f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{name}")
    results = claim.get("status", {}).get("allocation", {}).get("devices", {}).get("results", [])
    return [result["device"] for result in results]


def make_ours(site: Site, namespace: str, node: str, device: str, memory: str) -> None:
    """The GPUPartitionClaim that the operator would have written for the claim of that name."""
    path = f"/apis/aim.amd.com/v1beta1/namespaces/{namespace}/gpupartitionclaims"
    pod = site.get(f"/api/v1/namespaces/{namespace}/pods/held00000")["metadata"]
    spec = {
        "podRef": {"name": pod["name"], "uid": pod["uid"]},
        "requirement": {"memory": memory},
        "model": {"id": "Qwen/Qwen3-8B"},
    }
    kind = {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUPartitionClaim"}
    metadata = {"name": "held00000", "labels": {"aim.amd.com/inference-service": "chat"}}
    made = site.operator.create(path, {**kind, "metadata": metadata, "spec": spec})
    chosen = {"device": device, "bdf": FIRST, "partition": 3, "mode": "CPX/NPS4", "bytes": 24574 << 20}
    allocation = {"node": node, "devices": [chosen], "resourceClaim": "held00000"}
    status = {"phase": "Allocated", "allocation": allocation}
    site.operator.request("PUT", f"{path}/held00000/status", {**made, "status": status})


def partition(site: Site, node: str, number: int) -> Object:
    found: Object = site.gpu_node(node)["status"]["gpus"][0]["partitions"][number]
    return found


def charged(text: str, service: str) -> float:
    """Partition-seconds of a service on all nodes; 0 for one that is not told."""
    wanted = ("aim_usage_partition_seconds_total{", f'service="{service}"')
    rows = [line for line in text.splitlines() if all(part in line for part in wanted)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in rows)


def metric(text: str, node: str, kind: str, number: int = 3) -> tuple[float, str]:
    """Value and line of one memory row of the first GPU."""
    wanted = (
        "aim_gpu_partition_memory_bytes{",
        f'node="{node}"',
        f'gpu="{FIRST}"',
        f'partition="{number}"',
        f'type="{kind}"',
    )
    (line,) = [line for line in text.splitlines() if all(part in line for part in wanted)]
    return float(line.rsplit(" ", 1)[1]), line


async def test_a_pinned_claim_gets_its_device_and_the_metrics_follow(site: Site, namespace: str) -> None:
    node = site.add_node()
    async with site.agents({node: "CPX/NPS4"}) as process:
        assert metric(await scrape(process), node, "used")[0] == 0
        hold(site.plane, namespace, node, "gpu-3-131")
        await site.until(lambda: allocated(site, namespace) == ["gpu-3-131"], "the scheduler allocates the pin")
        await site.until(lambda: partition(site, node, 3)["holder"] == "foreign", "shown as foreign")
        value, line = metric(await scrape(process), node, "used")
        assert value == 24574 << 20
        assert f'claim="held00000",pod="",namespace="{namespace}",service="",model=""' in line
        make_ours(site, namespace, node, "gpu-3-131", "17Gi")
        await site.until(lambda: partition(site, node, 3)["holder"] == "ours", "shown as ours")
        value, line = metric(await scrape(process), node, "used")
        assert value == 17 << 30
        assert f'pod="held00000",namespace="{namespace}",service="chat",model="Qwen/Qwen3-8B"' in line
        text = await scrape(process)
        assert metric(text, node, "allocated")[0] == 17 << 30
        assert charged(text, "chat") == 0, "whoever collects sees it begin"
        await asyncio.sleep(NEW_SECONDS + 1.0)
        assert charged(await scrape(process), "chat") >= NEW_SECONDS, "and then all of it"
        site.plane.admin.delete(f"/apis/aim.amd.com/v1beta1/namespaces/{namespace}/gpupartitionclaims/held00000")
        site.plane.admin.delete(f"/api/v1/namespaces/{namespace}/pods/held00000")
        site.plane.admin.delete(f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/held00000")
        await site.until(lambda: partition(site, node, 3)["holder"] == "free", "free again")
        text = await scrape(process)
        assert metric(text, node, "used")[0] == 0
        assert charged(text, "chat") == charged(await scrape(process), "chat") > 0, "told a while, and no more charged"


async def test_a_compute_change_of_one_gpu(site: Site, namespace: str) -> None:
    node = site.add_node()
    async with site.agents({node: "SPX/NPS1"}):
        generation = site.slices(node)[0]["spec"]["pool"]["generation"]
        site.ask(node, "op-1", {FIRST: "SPX/NPS1"}, {FIRST: "CPX/NPS1"})
        await site.until(lambda: site.operation(node).get("phase") == "Succeeded", "the operation succeeds")
        status = site.gpu_node(node)["status"]
        assert status["summary"]["modes"] == "7xSPX/NPS1,1xCPX/NPS1"
        assert status["operation"]["progressPercent"] == 100
        (only,) = site.slices(node)
        assert only["spec"]["pool"]["generation"] == generation + 2  # withdrawn, published
        assert len(site.devices(node)) == 7 + 8
        hold(site.plane, namespace, node, "gpu-7-135", profile="cpx_nps1")
        await site.until(lambda: allocated(site, namespace) == ["gpu-7-135"], "a new device can be had")


@pytest.mark.parametrize(
    ("after", "want"),
    [
        pytest.param({SECOND: "QPX/NPS1"}, "Succeeded", id="compute mode of another gpu"),
        pytest.param({FIRST: "QPX/NPS1"}, "Failed", id="compute mode of the held gpu"),
        pytest.param({SECOND: "DPX/NPS2"}, "Failed", id="memory mode of the node"),
    ],
)
async def test_one_held_gpu(site: Site, namespace: str, after: dict[str, str], want: str) -> None:
    node = site.add_node()
    async with site.agents({node: "DPX/NPS1"}):
        hold(site.plane, namespace, node, "gpu-1-129", profile="dpx_nps1")
        await site.until(lambda: partition(site, node, 1)["holder"] == "foreign", "held")
        site.ask(node, "op-1", dict.fromkeys(after, "DPX/NPS1"), after)
        await site.until(lambda: site.operation(node).get("phase") == want, f"the operation has {want}")
        status = site.gpu_node(node)["status"]
        if want == "Failed":
            assert status["operation"]["message"].startswith("Busy:")
            assert FIRST in status["operation"]["message"]
            assert status["summary"]["modes"] == "8xDPX/NPS1"
            assert len(site.devices(node)) == 16


async def test_a_memory_change_of_the_node(site: Site) -> None:
    node = site.add_node()
    async with site.agents({node: "SPX/NPS1"}):
        bdfs = [gpu["bdf"] for gpu in site.gpu_node(node)["status"]["gpus"]]
        site.ask(node, "op-1", dict.fromkeys(bdfs, "SPX/NPS1"), dict.fromkeys(bdfs, "CPX/NPS4"))
        await site.until(lambda: site.operation(node).get("phase") == "Succeeded", "the operation succeeds")
        assert site.gpu_node(node)["status"]["summary"]["modes"] == "8xCPX/NPS4"
        profiles = {device["attributes"]["partitionProfile"]["string"] for device in site.devices(node).values()}
        assert profiles == {"cpx_nps4"}


async def test_an_agent_that_dies_in_an_operation_finishes_it_later(site: Site) -> None:
    node = site.add_node()
    async with site.agents({node: "SPX/NPS1"}, time_scale=1.0):
        site.ask(node, "op-1", {FIRST: "SPX/NPS1", SECOND: "SPX/NPS1"}, {FIRST: "CPX/NPS1", SECOND: "CPX/NPS1"})
        await site.until(lambda: site.operation(node).get("progressPercent") == 50, "half done")
    assert site.operation(node)["phase"] == "Running"
    async with site.process(site.options({node: "SPX/NPS1"})):
        await site.until(lambda: site.operation(node).get("phase") == "Succeeded", "the operation succeeds")
        assert site.gpu_node(node)["status"]["summary"]["modes"] == "6xSPX/NPS1,2xCPX/NPS1"
        assert len(site.devices(node)) == 6 + 16


async def test_an_operation_that_cannot_be_is_refused_by_name(site: Site) -> None:
    node = site.add_node()
    async with site.agents({node: "SPX/NPS1"}):
        site.ask(node, "op-1", {FIRST: "SPX/NPS1"}, {FIRST: "TPX/NPS1"})
        await site.until(lambda: site.operation(node).get("phase") == "Failed", "the operation fails")
        message = site.operation(node)["message"]
        assert "mode TPX/NPS1" in message
        assert "use one of" in message
        assert len(site.devices(node)) == 8
