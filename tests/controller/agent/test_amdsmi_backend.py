"""Time limits and rare answers of the backend over AMD SMI; what it tells and changes is in the conformance suite."""

import asyncio
from enum import IntEnum
from pathlib import Path

import pytest

from controller.agent.amdsmi_backend import AmdsmiBackend, Limits
from controller.agent.amdsmi_errors import AmdsmiFailure
from controller.agent.backend import DriverGone, GpuProcess, NodeHardware, NotSupported, ReloadTimeout
from controller.gpu.mode import ComputeMode, MemoryMode
from tests.controller.agent.conformance.releases import with_calls
from tests.controller.agent.hardware import A, B
from tests.stubs.amdsmi.fixture import AmdsmiStub
from tests.stubs.amdsmi.node import ALWAYS, HANGS, RELOAD, SET_PROFILE, StubNode

pytestmark = pytest.mark.needs_cc

SECOND = Limits(read=1.0, change=1.0, reload=1.0)
"""For the call that hangs: it begins within that time."""
SHORT = Limits(read=0.1, change=0.1, reload=0.1)
"""For calls behind it: they cannot begin, however long they wait."""


async def hanging(stub: AmdsmiStub, call: str) -> AmdsmiBackend:
    """A backend that was used before; the next such call hangs."""
    backend = stub.backend(StubNode())
    await backend.read()
    stub.folder.add(f"fault {call} * {HANGS} 1")
    backend.limits = SECOND
    return backend


async def released(stub: AmdsmiStub, backend: AmdsmiBackend) -> NodeHardware:
    """The hardware once what hung has come to its end."""
    stub.folder.release()
    backend.limits = Limits()
    return await backend.read()


async def test_a_reading_that_hangs_is_a_driver_that_is_gone(amdsmi_stub: AmdsmiStub) -> None:
    backend = await hanging(amdsmi_stub, "amdsmi_get_gpu_asic_info")
    with pytest.raises(DriverGone, match="AMD SMI does not answer within 1 s"):
        await backend.read()
    backend.limits = SHORT
    with pytest.raises(DriverGone, match="reading the GPUs has not come back"):
        await backend.usage()
    assert len((await released(amdsmi_stub, backend)).gpus) == 2


async def test_a_change_that_hangs_leaves_open_whether_it_happens(amdsmi_stub: AmdsmiStub) -> None:
    backend = await hanging(amdsmi_stub, SET_PROFILE)
    with pytest.raises(AmdsmiFailure, match=f"compute mode CPX of GPU {A}: no answer within 1 s: read the hardware"):
        await backend.set_compute_mode(A, ComputeMode.CPX)
    assert str((await released(amdsmi_stub, backend)).modes[A]) == "CPX/NPS1"


async def test_nothing_is_begun_behind_a_reload_that_hangs(amdsmi_stub: AmdsmiStub) -> None:
    backend = await hanging(amdsmi_stub, RELOAD)
    with pytest.raises(ReloadTimeout, match="the driver is not back 1 s after its reload began"):
        await backend.reload_driver()
    backend.limits = SHORT
    for change in (
        backend.set_compute_mode(A, ComputeMode.CPX),
        backend.set_memory_mode(MemoryMode.NPS4),
        backend.reload_driver(),
    ):
        with pytest.raises(DriverGone, match="not begun, reloading the driver has not come back"):
            await change
    assert str((await released(amdsmi_stub, backend)).modes[A]) == "SPX/NPS1"
    assert [call.split()[0] for call in amdsmi_stub.folder.changes()] == [RELOAD, RELOAD]  # it began, and it ended


async def test_a_caller_that_is_cancelled_does_not_stop_the_call(amdsmi_stub: AmdsmiStub) -> None:
    backend = amdsmi_stub.backend(StubNode(faults=[(SET_PROFILE, "*", HANGS, 1)]))
    async with asyncio.TaskGroup() as tasks:
        change = tasks.create_task(backend.set_compute_mode(A, ComputeMode.DPX))
        await asyncio.to_thread(amdsmi_stub.folder.wait_for_change)
        change.cancel()
    amdsmi_stub.folder.release()
    assert str((await backend.read()).modes[A]) == "DPX/NPS1"


@pytest.mark.parametrize("status", [10, 30])
async def test_a_mode_that_is_refused_is_not_told_and_the_rest_is_read(amdsmi_stub: AmdsmiStub, status: int) -> None:
    faults = [("amdsmi_get_gpu_memory_partition", B, status, ALWAYS)]
    told = await amdsmi_stub.backend(StubNode("CPX/NPS1", faults=faults)).read()
    assert [str(gpu.mode) for gpu in told.gpus] == ["CPX/NPS1", "None"]
    assert [len(gpu.partitions) for gpu in told.gpus] == [8, 8]


async def test_a_driver_that_goes_while_it_is_read_is_gone(amdsmi_stub: AmdsmiStub) -> None:
    faults = [("amdsmi_get_gpu_compute_partition", B, 34, 1)]
    backend = amdsmi_stub.backend(StubNode(faults=faults))
    with pytest.raises(DriverGone):
        await backend.read()
    assert [call.split()[0] for call in amdsmi_stub.folder.calls()][-1] == "amdsmi_shut_down"


async def test_a_host_whose_files_show_no_gpu_contradicts(amdsmi_stub: AmdsmiStub, tmp_path: Path) -> None:
    backend = amdsmi_stub.backend(StubNode(processes=[(A, 4712, "python")]), root=tmp_path)
    told = await backend.read()
    assert "AMD SMI shows 2 GPUs, KFD cannot be read" in told.disagreements[0]
    assert await backend.processes() == {A: (GpuProcess(4712, "python"),)}  # KFD lists none


async def test_files_that_cannot_be_read_are_a_backends_error(amdsmi_stub: AmdsmiStub, tmp_path: Path) -> None:
    device = tmp_path / "bus" / "pci" / "devices" / A
    device.mkdir(parents=True)
    (device / "drm").touch()  # no folder: as when it goes while it is read
    with pytest.raises(AmdsmiFailure, match="reading the driver's files: "):
        await amdsmi_stub.backend(StubNode(), root=tmp_path).read()


async def test_a_mode_that_a_release_does_not_know_is_not_supported(amdsmi_stub: AmdsmiStub) -> None:
    package = with_calls(amdsmi_stub.amdsmi, AmdSmiMemoryPartitionType=IntEnum("Older", "NPS1"))
    backend = amdsmi_stub.backend(StubNode(), amdsmi=package)
    with pytest.raises(NotSupported, match="AmdSmiMemoryPartitionType NPS4: this release"):
        await backend.set_memory_mode(MemoryMode.NPS4)


@pytest.mark.parametrize("address", ["N/A", "05:00.0", ""])
async def test_an_address_that_is_none_is_refused(amdsmi_stub: AmdsmiStub, address: str) -> None:
    package = with_calls(amdsmi_stub.amdsmi, amdsmi_get_gpu_device_bdf=lambda _handle: address)
    with pytest.raises(AmdsmiFailure, match=f"AMD SMI tells the PCI address '{address}'"):
        await amdsmi_stub.backend(StubNode(), amdsmi=package).read()


async def test_a_serial_that_is_not_told_is_empty(amdsmi_stub: AmdsmiStub) -> None:
    told = await amdsmi_stub.backend(StubNode(holes=[("amdsmi_get_gpu_asic_info", B, ALWAYS)])).read()
    assert [bool(gpu.unique_id) for gpu in told.gpus] == [True, False]
    assert told.gpus[1].partitions[0].compute_units == 0


async def test_links_that_are_not_told_of_every_two_gpus_are_not_told(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode(gpus=3, holes=[("amdsmi_topo_get_link_type", B, 0)])
    assert [gpu.hive for gpu in (await amdsmi_stub.backend(node).read()).gpus] == [None] * 3
    assert [gpu.hive for gpu in (await amdsmi_stub.backend(StubNode(gpus=3)).read()).gpus] == [0] * 3


async def test_a_release_that_cannot_be_asked_for_links_tells_none(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode(faults=[("amdsmi_topo_get_link_type", "*", 2, ALWAYS)])
    assert [gpu.hive for gpu in (await amdsmi_stub.backend(node).read()).gpus] == [None, None]
