"""Files that a container runtime reads, and that are the plugin's only record."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from controller.agent.kubelet_plugins.cdi_folder import CdiFolder
from controller.agent.kubelet_plugins.cdi_spec import PreparedClaim, PreparedDevice, SpecError, document
from controller.agent.kubelet_plugins.device_environment import NodeDevice, node_devices
from tests.controller.agent.hardware import RecordedBackend

UID = "0b1f5c1e-6c3c-4a53-9b53-0123456789ab"


@pytest.fixture
async def devices() -> tuple[NodeDevice, ...]:
    return node_devices(await RecordedBackend("CPX/NPS4").read())


def spec(*devices: NodeDevice, node: str = "node-0", admin: bool = False) -> dict[str, Any]:
    return document(UID, node, [(device, admin, ("/dev/kfd",)) for device in devices])


def test_a_file_is_what_the_container_device_interface_wants(devices: tuple[NodeDevice, ...], tmp_path: Path) -> None:
    CdiFolder(tmp_path, "node-0").write(UID, spec(devices[1], devices[2]))
    (path,) = tmp_path.iterdir()
    assert path.name == f"k8s.gpu.amd.com-gpu_{UID}.json"
    found = orjson.loads(path.read_bytes())
    assert (found["cdiVersion"], found["kind"]) == ("0.5.0", "k8s.gpu.amd.com/gpu")
    assert found["containerEdits"]["env"] == [
        "DRA_RESOURCE_DRIVER_NAME=gpu.amd.com",
        "KUBERNETES_NODE_NAME=node-0",
        "AMD_VISIBLE_DEVICES=1,2",
        "ROCR_VISIBLE_DEVICES=0,1",
        "AIM_GPU_DEVICES=0000:05:00.0/1 CPX/NPS4,0000:05:00.0/2 CPX/NPS4",
    ]
    assert found["devices"][0] == {
        "name": f"{UID}-gpu-1-129",
        "containerEdits": {
            "env": ["AIM_GPU_DEVICE_129=0000:05:00.0/1 CPX/NPS4"],
            "deviceNodes": [{"path": "/dev/kfd"}],
        },
    }


def test_what_was_written_is_found_again(devices: tuple[NodeDevice, ...], tmp_path: Path) -> None:
    CdiFolder(tmp_path / "made", "node-0").write(UID, spec(devices[0], admin=True))
    want = PreparedClaim(UID, "node-0", (PreparedDevice("gpu-0-128", admin=True),))
    assert CdiFolder(tmp_path / "made", "node-0").load() == {UID: want}
    assert CdiFolder(tmp_path / "made", "node-1").load() == {}
    CdiFolder(tmp_path / "made", "node-0").remove(UID)
    assert CdiFolder(tmp_path / "made", "node-0").load() == {}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    folder = CdiFolder(tmp_path / "cdi", "node-0")
    assert folder.load() == {}
    folder.remove(UID)


def test_what_a_killed_process_left_is_cleared_away_and_others_files_stay(tmp_path: Path) -> None:
    for name in (f"k8s.gpu.amd.com-gpu_{UID}abc.tmp", f"k8s.gpu.amd.com-gpu_{UID}.json", "nvidia.json", "x.tmp"):
        (tmp_path / name).write_text('{"cdiVersion": "0.5.0", "dev')
    assert CdiFolder(tmp_path, "node-0").load() == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nvidia.json", "x.tmp"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"containerEdits": {"env": []}, "devices": []}', id="of no node"),
        pytest.param(
            b'{"containerEdits": {"env": ["KUBERNETES_NODE_NAME=node-0"]}, "devices": [{"name": "other-gpu-0-128"}]}',
            id="of another claim",
        ),
        pytest.param(b'{"devices": "' + b"x" * (1 << 20) + b'"}', id="too large"),
    ],
)
def test_a_file_that_is_not_whole_is_not_believed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"k8s.gpu.amd.com-gpu_{UID}.json"
    path.write_bytes(content)
    assert CdiFolder(tmp_path, "node-0").load() == {}
    assert not path.exists()


@pytest.mark.parametrize("uid", ["", "../x", "a/b", "a" * 64, "-a", "a\n"])
def test_what_is_no_uid_names_no_file(tmp_path: Path, uid: str) -> None:
    with pytest.raises(SpecError, match=r"metadata\.uid"):
        CdiFolder(tmp_path, "node-0").write(uid, {})
    with pytest.raises(SpecError):
        CdiFolder(tmp_path, "node-0").remove(uid)
