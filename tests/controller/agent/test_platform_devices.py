from pathlib import Path

import pytest

from controller.agent.platform_devices import numbered_minors, platform_minors
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_faults import Call, Fault, FaultScript, ScriptedFault
from controller.agent.simulated_tree import write_tree
from controller.gpu.mode import Mode
from tests.controller.agent.hardware import A, B, RecordedBackend
from tests.fakes.clock import SkippingClock


def make(root: Path, *nodes: str) -> None:
    for node in nodes:
        (root / "devices/platform" / node).mkdir(parents=True)


def test_each_platform_device_has_its_render_node(tmp_path: Path) -> None:
    make(tmp_path, "amdgpu_xcp_0/drm/renderD129", "amdgpu_xcp_0/drm/card1", "amdgpu_xcp.1/drm/renderD130")
    assert platform_minors(tmp_path) == {"amdgpu_xcp_0": 129, "amdgpu_xcp.1": 130}


def test_devices_without_a_render_node_and_of_others_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "amdgpu_xcp_2/drm", "serial8250/drm/renderD140", "amdgpu_xcp_3/drm/renderDx")
    assert platform_minors(tmp_path) == {}


def test_a_host_without_any_has_none(tmp_path: Path) -> None:
    assert platform_minors(tmp_path / "nowhere") == {}


async def test_platform_devices_are_numbered_gpu_by_gpu_whatever_the_mode() -> None:
    whole = numbered_minors(await RecordedBackend("CPX/NPS4", gpus=8).read())
    assert len(whole) == 56
    assert (whole["amdgpu_xcp_0"], whole["amdgpu_xcp_6"], whole["amdgpu_xcp_7"]) == (129, 135, 137)
    halves = numbered_minors(await RecordedBackend("DPX/NPS1", gpus=8).read())
    assert halves == {name: minor for name, minor in whole.items() if (minor - 128) % 8 == 1}


@pytest.mark.parametrize("product", ["MI300X", "MI308X", "MI210"])
@pytest.mark.parametrize("lost", [None, A, B], ids=["all GPUs", "the first GPU lost", "the second GPU lost"])
async def test_a_made_up_node_and_its_files_have_the_same_platform_devices(
    tmp_path: Path, product: str, lost: str | None
) -> None:
    faults = (ScriptedFault(Fault.GPU_LOST, call=Call.READ, gpu=lost),) if lost else ()
    mode = Mode.parse("SPX/NPS1" if product == "MI210" else "CPX/NPS4")
    shape = SimulatedShape(mode, gpus=3, product=product, script=FaultScript(faults))
    node = SimulatedBackend(shape, SkippingClock(), held=frozenset, used=dict)
    told = numbered_minors(await node.read())
    write_tree(tmp_path, node.node(), links=False)
    assert platform_minors(tmp_path) == told
    assert bool(told) == (product != "MI210")
