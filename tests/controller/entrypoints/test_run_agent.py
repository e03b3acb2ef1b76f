import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from controller.agent.amdsmi_library import AmdsmiUnavailable
from controller.agent.backend import PartitionBackend
from controller.agent.platform_devices import platform_minors
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_tree import write_tree
from controller.entrypoints.agent_options import AgentOptions, BackendChoice, NodeOptions
from controller.entrypoints.metrics_endpoint import reviewing_client
from controller.entrypoints.run_agent import AgentProcess
from controller.gpu.mode import mode
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import LEASES, RESOURCE_CLAIMS, RESOURCE_SLICES
from controller.runtime.clock import RealClock
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from controller.telemetry.catalogue import exported_by
from controller.telemetry.metrics import Metrics
from tests.exported_metrics import difference, names_without_series
from tests.fakes.api_server import FakeApiServer
from tests.fakes.kubelet import FakeKubelet, plugged, pod

OWN = {name for name in exported_by("agent") if name.startswith("aim_")}


@asynccontextmanager
async def running(options: AgentOptions) -> AsyncIterator[Metrics]:
    """The process, on free ports, and what it measures."""
    with closing(Metrics("agent")) as metrics:
        async with (
            reviewing_client(options.configuration(options.nodes[0]), metrics, RealClock(), "test") as reviews,
            asyncio.TaskGroup() as tasks,
        ):
            stop = asyncio.Event()
            tasks.create_task(AgentProcess(options, reviews, metrics, RealClock()).run(stop))
            try:
                yield metrics
            finally:
                stop.set()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the fake has nobody to tell
            await asyncio.sleep(0.01)


async def test_the_requests_of_all_nodes_are_counted_in_one_series(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = tuple(NodeOptions(name, tmp_path / name, mode("CPX/NPS4"), 1) for name in ("a", "b"))
    for node in nodes:
        (tmp_path / node.name).write_text("t")
    async with FakeApiServer() as api:
        connection = ClientConfiguration(server=api.url)
        options = AgentOptions(nodes, connection, host="127.0.0.1", health_port=0, metrics_port=0, metrics_plain=True)
        async with running(options) as metrics:
            await until(lambda: len(api.seen) >= 4)
            text = (await metrics.exposition()).decode()
    counted = re.findall(r"^rest_client_requests_total\{.*\} (\S+)$", text, re.MULTILINE)
    assert sum(map(float, counted)) >= 4
    assert "rest_client_request_duration_seconds_bucket" in text
    assert caplog.records == [], "an instrument that was registered twice"


@pytest.fixture
def _no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(root: Path) -> PartitionBackend:
        raise AmdsmiUnavailable("AMD SMI cannot be loaded: install ROCm's amd-smi-lib")

    monkeypatch.setattr("controller.agent.amdsmi_backend.open_amdsmi", unavailable)


@pytest.mark.usefixtures("_no_library")
async def test_a_host_without_amd_smi_is_read_by_its_files_and_its_kubelet(tmp_path: Path) -> None:
    shape = SimulatedShape(mode("CPX/NPS4"), gpus=2)
    write_tree(tmp_path, SimulatedBackend(shape, RealClock(), held=frozenset, used=dict).node(), links=False)
    third = next(device for device, minor in platform_minors(tmp_path).items() if minor == 138)
    async with FakeApiServer() as api, FakeKubelet(tmp_path / "kubelet.sock") as kubelet:
        for resource in (GPU_NODES, GPU_PARTITION_CLAIMS, RESOURCE_CLAIMS, RESOURCE_SLICES, LEASES):
            api.serve(resource)
        api.put(GPU_NODES, {"metadata": {"name": "a", "generation": 1}, "spec": {}})
        kubelet.pods = [pod("llm-0", plugged("main", "amd.com/cpx_nps4", third))]
        options = AgentOptions(
            nodes=(NodeOptions("a"),),
            connection=ClientConfiguration(server=api.url),
            backend=BackendChoice.AUTO,
            sysfs_root=tmp_path,
            pod_resources_socket=kubelet.socket,
            host="127.0.0.1",
            health_port=0,
            metrics_port=0,
            metrics_plain=True,
        )
        async with running(options) as metrics:
            await until(lambda: status(api).get("assigned"))
            text = (await metrics.exposition()).decode()
        assert api.objects(RESOURCE_SLICES) == {}, "on hardware AMD's driver publishes them"
    told = status(api)
    assert (told["backend"], told["simulated"], told["product"]) == ("sysfs", False, "MI300X")
    want = {"gpus": 2, "partitions": 16, "free": 15, "modes": "2xCPX/NPS4", "problems": ""}
    assert told["summary"] == want
    conditions = {found["type"]: found for found in told["conditions"]}
    assert conditions["Backend"]["reason"] == "FellBack"
    assert "install ROCm's amd-smi-lib" in conditions["Backend"]["message"]
    (given,) = told["assigned"]
    assert (given["bdf"], given["partition"]) == ("0000:27:00.0", 2)
    differs = difference("agent", [text])
    assert (differs.missing, differs.wrong) == (frozenset(), ())
    assert names_without_series("agent", [text]) & OWN == {"aim_gpu_partition_utilization"}
    assert re.search(r'^aim_agent_info\{node="a",backend="sysfs",simulated="false",.*\} 1', text, re.MULTILINE)
    place = r'gpu="0000:27:00\.0",partition="2",mode="CPX/NPS4",claim="",pod="llm-0"'
    held = re.search(rf'^aim_gpu_partition_memory_bytes\{{.*{place}.*type="allocated"\}} (\S+)', text, re.MULTILINE)
    assert held is not None
    assert float(held[1]) == 24574 << 20
    assert len(re.findall(r"^aim_gpu_temperature_celsius\{", text, re.MULTILINE)) == 4, "two sensors of each GPU"
    assert len(re.findall(r"^aim_gpu_power_watts\{", text, re.MULTILINE)) == 2
    assert re.search(r"^aim_usage_partition_seconds_total\{.*\} ", text, re.MULTILINE)
    busy = re.search(r"^aim_gpu_partition_utilization\w*\{", text, re.MULTILINE)
    assert busy is None, "files do not tell how busy a partition is"


def status(api: FakeApiServer) -> Manifest:
    told: Manifest = api.objects(GPU_NODES)["a"].get("status") or {}
    return told
