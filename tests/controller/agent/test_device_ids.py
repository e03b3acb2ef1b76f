import pytest

from controller.agent.backend import NodeHardware
from controller.agent.device_ids import DeviceIds
from controller.gpu.identity import PartitionId
from tests.controller.agent.hardware import A, B, RecordedBackend


@pytest.fixture
async def node() -> NodeHardware:
    return await RecordedBackend("CPX/NPS4").read()


@pytest.mark.parametrize(
    ("device", "want"),
    [
        pytest.param(A, PartitionId(A, 0), id="address, the first partition"),
        pytest.param(A.upper(), PartitionId(A, 0), id="address in capitals"),
        pytest.param("amdgpu_xcp_30", PartitionId(B, 3), id="platform device"),
        pytest.param("amdgpu_xcp.31", PartitionId(B, 4), id="platform device with a dot"),
        pytest.param("renderD131", PartitionId(A, 3), id="render node"),
        pytest.param("gpu-9-137", PartitionId(B, 1), id="device of the DRA driver"),
        pytest.param("0000:ff:00.0", None, id="an unknown address"),
        pytest.param("amdgpu_xcp_55", None, id="a platform device that is no partition now"),
        pytest.param("amdgpu_xcp_99", None, id="an unknown platform device"),
        pytest.param("gpu-0-199", None, id="an unknown device"),
    ],
)
def test_what_a_device_id_means(node: NodeHardware, device: str, want: PartitionId | None) -> None:
    minors = {"amdgpu_xcp_30": 139, "amdgpu_xcp.31": 140, "amdgpu_xcp_55": 190}
    assert DeviceIds(node, minors).partition(device) == want
