from pathlib import Path

from controller.agent.platform_devices import platform_minors


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
