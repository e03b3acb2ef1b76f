"""What an agent publishes on a real API server with nothing but its node-bound token."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from controller.agent.simulated_faults import Fault, FaultScript, ScriptedFault
from controller.entrypoints.run_agent import AgentProcess
from tests.fakes.kubelet import FakeKubelet, plugged, pod
from tests.integration.agent.conftest import LEASES, Site, scrape

pytestmark = pytest.mark.plane

FIRST, SECOND = "0000:05:00.0", "0000:27:00.0"


async def test_inventory_lease_and_devices_appear(site: Site) -> None:
    node = site.add_node()
    async with site.agents({node: "CPX/NPS4"}) as process:
        status = site.gpu_node(node)["status"]
        assert status["simulated"] is True
        assert status["product"] == "MI300X"
        want = {"gpus": 8, "partitions": 64, "free": 64, "modes": "8xCPX/NPS4", "problems": ""}
        assert status["summary"] == want
        conditions = {found["type"]: found["status"] for found in status["conditions"]}
        assert conditions == {"Ready": "True", "Consistent": "True", "Complete": "True", "Backend": "True"}
        assert status["backend"] == "simulated"
        await site.until(lambda: site.plane.admin.find(f"{LEASES}/{node}") is not None, "a Lease")
        lease = site.get(f"{LEASES}/{node}")
        assert lease["metadata"]["labels"]["aim.amd.com/agent"] == "true"
        assert lease["spec"]["leaseDurationSeconds"] == 40
        assert "ok" in (await scrape(process, "/readyz")).splitlines()


async def test_each_reported_partition_is_a_device_of_the_slices(site: Site) -> None:
    node = site.add_node()
    async with site.agents({node: "DPX/NPS1"}):
        reported = {
            partition["device"]: (gpu["bdf"], partition["renderIndex"])
            for gpu in site.gpu_node(node)["status"]["gpus"]
            for partition in gpu["partitions"]
        }
        advertised = {
            name: (device["attributes"]["parentPciAddr"]["string"], device["attributes"]["renderIndex"]["int"])
            for name, device in site.devices(node).items()
        }
        assert advertised == reported
        assert len(reported) == 16


async def test_what_is_in_quarantine_is_not_free_once_the_operator_or_a_person_says_so(site: Site) -> None:
    node = site.add_node()
    async with site.agents({node: "CPX/NPS4"}):
        entries = [{"bdf": FIRST, "partition": 0, "mode": "SPX/NPS1"}, {"bdf": SECOND, "partition": 3}]
        site.plane.admin.patch(f"/apis/aim.amd.com/v1beta1/gpunodes/{node}", {"spec": {"quarantine": entries}})
        free = 64 - 8 - 1
        await site.until(lambda: site.gpu_node(node)["status"]["summary"]["free"] == free, "the agent counts anew")
        assert site.gpu_node(node)["status"]["summary"]["problems"] == "in quarantine: 9"


async def test_slices_and_lease_belong_to_their_node(site: Site) -> None:
    node = site.add_node()
    lease = f"{LEASES}/{node}"
    async with site.agents({node: "SPX/NPS1"}):
        await site.until(lambda: site.plane.admin.find(lease) is not None, "a Lease")
    (only,) = site.slices(node)
    assert [owner["kind"] for owner in only["metadata"]["ownerReferences"]] == ["Node"]
    site.plane.admin.delete(f"/api/v1/nodes/{node}")
    await site.until(lambda: not site.slices(node), "the slices go with their Node", 60)
    await site.until(lambda: site.plane.admin.find(lease) is None, "so does the Lease", 60)


async def test_nothing_is_written_while_nothing_changes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.agent.node_agent.REFRESH_SECONDS", 0.3)
    node = site.add_node()
    async with site.agents({node: "CPX/NPS4"}):
        before = await at_rest(site, node)
        await asyncio.sleep(2.0)
        assert versions(site, node) == before


def versions(site: Site, node: str) -> list[str]:
    """Those of what the agent writes, but its Lease."""
    return [obj["metadata"]["resourceVersion"] for obj in (site.gpu_node(node), *site.slices(node))]


async def at_rest(site: Site, node: str) -> list[str]:
    """The versions once the first writes are over: none for a second. Raises TimeoutError when they never end."""
    before, now = [""], versions(site, node)
    async with asyncio.timeout(60.0):
        while now != before:
            await asyncio.sleep(1.0)
            before, now = now, versions(site, node)
    return now


async def test_a_restart_writes_nothing_new(site: Site) -> None:
    node = site.add_node()
    async with site.agents({node: "QPX/NPS4"}):
        before = await at_rest(site, node)
    async with site.agents({node: "QPX/NPS4"}) as process:
        await site.until(lambda: process.metrics.port > 0, "it listens")
        await asyncio.sleep(2.0)
    assert versions(site, node) == before


async def test_slices_that_somebody_deletes_come_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.agent.node_agent.REFRESH_SECONDS", 0.5)
    node = site.add_node()
    async with site.agents({node: "SPX/NPS1"}):
        (only,) = site.slices(node)
        site.plane.admin.delete(f"/apis/resource.k8s.io/v1/resourceslices/{only['metadata']['name']}")
        await site.until(lambda: len(site.devices(node)) == 8, "the devices are back")


async def test_an_agent_waits_for_its_gpu_node_and_says_so(site: Site) -> None:
    node = site.add_node()
    site.plane.admin.delete(f"/apis/aim.amd.com/v1beta1/gpunodes/{node}")
    async with site.process(site.options({node: "SPX/NPS1"})) as process:
        await site.until(lambda: process.metrics.port > 0, "it listens")
        await says(process, f"GPUNode {node}: not there yet")
        assert site.plane.admin.find(f"{LEASES}/{node}") is None


async def says(process: AgentProcess, words: str) -> None:
    """Wait until /readyz says so. Raises TimeoutError when it never does."""
    async with asyncio.timeout(60.0):
        while words not in await scrape(process, "/readyz"):  # noqa: ASYNC110 - what a server answers
            await asyncio.sleep(0.1)


async def test_a_failing_node_leaves_the_others_alone(site: Site) -> None:
    good, bad = site.add_node(), site.add_node()
    options = site.options({good: "SPX/NPS1", bad: "SPX/NPS1"})
    token = options.nodes[1].token_file
    assert token is not None
    token.unlink()
    async with site.process(options) as process:
        await site.until(lambda: len(site.devices(good)) == 8, "the good node is published")
        await says(process, f"[+]{good} ok")
        await says(process, f"[-]{bad}")
        assert not site.devices(bad)


async def test_health_processes_and_the_kubelets_word_are_published(site: Site, tmp_path: Path) -> None:
    node = site.add_node()
    faults = [(Fault.MEMORY_ERRORS, FIRST), (Fault.FOREIGN_PROCESS, SECOND), (Fault.PARTITION_MISSING, SECOND)]
    script = FaultScript(tuple(ScriptedFault(fault, gpu=bdf) for fault, bdf in faults))
    options = replace(site.options({node: "CPX/NPS4"}), script=script, pod_resources_socket=tmp_path / "{node}.sock")
    async with FakeKubelet(tmp_path / f"{node}.sock") as kubelet:
        kubelet.pods = [pod("llm-0", plugged("main", "amd.com/cpx_nps4", "amdgpu_xcp_8"))]
        async with site.process(options):
            await site.until(lambda: bool(site.gpu_node(node).get("status", {}).get("assigned")), "the kubelet's word")
            status = site.gpu_node(node)["status"]
    sick, used, *_ = status["gpus"]
    assert sick["ecc"]["uncorrectable"] > 0
    assert "uncorrectable memory errors" in sick["problem"]
    assert {partition["health"] for partition in sick["partitions"]} == {"Unhealthy"}
    assert (used["processes"], used["missingPartitions"], len(used["partitions"])) == (1, 1, 7)
    assert "63 of the node's 64 partitions" in used["problem"]
    (given,) = status["assigned"]
    assert (given["pod"], given["bdf"], given["partition"]) == ("llm-0", SECOND, 2)
    assert status["summary"]["free"] == 64 - 8 - 1 - 1
