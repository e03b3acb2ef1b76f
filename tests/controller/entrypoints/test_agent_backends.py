import asyncio
from pathlib import Path

import pytest

from controller.agent.amdsmi_library import AmdsmiUnavailable
from controller.agent.backend import PartitionBackend
from controller.agent.pod_resources import PodResources
from controller.entrypoints.agent_backends import ChosenBackend, choose_assignments, choose_backend, choose_lock
from controller.entrypoints.agent_options import AgentOptions, BackendChoice, NodeOptions
from controller.gpu.mode import mode
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import RealClock
from tests.fakes.kubelet import FakeKubelet, plugged, pod

SIMULATED = NodeOptions("a", mode=mode("CPX/NPS4"), gpus=2)
OWN = NodeOptions("a")
REAL = (BackendChoice.AMDSMI, BackendChoice.AUTO)


def options(backend: BackendChoice, **more: object) -> AgentOptions:
    connection = ClientConfiguration(server="https://a:1")
    return AgentOptions((OWN,), connection, backend, **more)  # type: ignore[arg-type]


def made(chosen: ChosenBackend) -> PartitionBackend:
    return chosen.make(held=frozenset, used=dict)


@pytest.fixture
def _no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(root: Path) -> PartitionBackend:
        raise AmdsmiUnavailable("AMD SMI cannot be loaded: install ROCm's amd-smi-lib")

    monkeypatch.setattr("controller.agent.amdsmi_backend.open_amdsmi", unavailable)


async def test_simulated_nodes_are_of_the_product_asked_for() -> None:
    chosen = choose_backend(SIMULATED, options(BackendChoice.SIMULATED, product="MI325X"), RealClock())
    hardware = await made(chosen).read()
    assert [gpu.product for gpu in hardware.gpus] == ["MI325X", "MI325X"]
    assert chosen.fallback == ""


@pytest.mark.usefixtures("_no_library")
def test_without_amd_smi_auto_falls_back_to_sysfs_and_says_why(tmp_path: Path) -> None:
    chosen = choose_backend(OWN, options(BackendChoice.AUTO, sysfs_root=tmp_path), RealClock())
    assert (made(chosen).name, made(chosen).writable) == ("sysfs", False)
    assert "install ROCm's amd-smi-lib" in chosen.fallback
    assert "sysfs reads the GPUs and changes nothing" in chosen.fallback


@pytest.mark.usefixtures("_no_library")
def test_amd_smi_that_was_asked_for_by_name_is_not_replaced() -> None:
    with pytest.raises(AmdsmiUnavailable, match="install"):
        choose_backend(OWN, options(BackendChoice.AMDSMI), RealClock())


def test_sysfs_that_was_asked_for_by_name_is_no_fallback(tmp_path: Path) -> None:
    chosen = choose_backend(OWN, options(BackendChoice.SYSFS, sysfs_root=tmp_path), RealClock())
    assert (made(chosen).name, chosen.fallback) == ("sysfs", "")


def test_nobody_is_asked_what_was_given_away_without_a_socket() -> None:
    assert choose_assignments(SIMULATED, options(BackendChoice.SIMULATED)) is None


async def test_each_node_asks_the_kubelet_of_its_own(tmp_path: Path) -> None:
    asked = options(BackendChoice.SIMULATED, pod_resources_socket=tmp_path / "{node}.sock")
    hardware = await made(choose_backend(SIMULATED, asked, RealClock())).read()
    async with FakeKubelet(tmp_path / "a.sock") as kubelet:
        kubelet.pods = [pod("llm-0", plugged("main", "amd.com/cpx_nps4", "amdgpu_xcp_7"))]
        reader = choose_assignments(SIMULATED, asked)
        assert isinstance(reader, PodResources)
        (given,) = await reader.assigned(hardware) or ()
    assert (given.bdf, given.partition) == (hardware.gpus[1].bdf, 1)


async def test_agents_of_real_gpus_share_the_lock_of_their_host(tmp_path: Path) -> None:
    socket = tmp_path / "kubelet.sock"
    first, second = (choose_lock(options(choice, pod_resources_socket=socket), RealClock()) for choice in REAL)
    assert first is not None
    assert second is not None
    await first.acquire()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await second.acquire()
    assert choose_lock(options(BackendChoice.SIMULATED, pod_resources_socket=socket), RealClock()) is None
