"""Time limits of the backend over AMD SMI; what it tells and changes is in the conformance suite."""

import asyncio

import pytest

from controller.agent.amdsmi_backend import AmdsmiBackend, Limits
from controller.agent.amdsmi_errors import AmdsmiFailure
from controller.agent.backend import DriverGone, NodeHardware, ReloadTimeout
from controller.gpu.mode import ComputeMode, MemoryMode
from tests.controller.agent.hardware import A
from tests.stubs.amdsmi.fixture import AmdsmiStub
from tests.stubs.amdsmi.node import HANGS, RELOAD, SET_PROFILE, StubNode

pytestmark = pytest.mark.needs_cc

# What hangs never ends by itself, so that a short limit decides nothing else.
SHORT = Limits(read=0.2, change=0.2, reload=0.2)


def hanging(stub: AmdsmiStub, call: str) -> AmdsmiBackend:
    return stub.backend(StubNode(faults=[(call, "*", HANGS, 1)]), limits=SHORT)


async def back(backend: AmdsmiBackend) -> NodeHardware:
    while True:
        try:
            return await backend.read()
        except DriverGone:
            await asyncio.sleep(0.01)


async def test_a_reading_that_hangs_is_a_driver_that_is_gone(amdsmi_stub: AmdsmiStub) -> None:
    backend = hanging(amdsmi_stub, "amdsmi_get_gpu_asic_info")
    with pytest.raises(DriverGone, match=r"AMD SMI does not answer within 0\.2 s"):
        await backend.read()
    with pytest.raises(DriverGone, match="reading the GPUs has not come back"):
        await backend.usage()
    amdsmi_stub.folder.release()
    assert len((await back(backend)).gpus) == 2


async def test_a_change_that_hangs_leaves_open_whether_it_happens(amdsmi_stub: AmdsmiStub) -> None:
    backend = hanging(amdsmi_stub, SET_PROFILE)
    await back(backend)
    with pytest.raises(AmdsmiFailure, match=f"compute mode CPX of GPU {A}: no answer within"):
        await backend.set_compute_mode(A, ComputeMode.CPX)
    amdsmi_stub.folder.release()
    assert str((await back(backend)).modes[A]) == "CPX/NPS1"


async def test_nothing_is_begun_behind_a_reload_that_hangs(amdsmi_stub: AmdsmiStub) -> None:
    backend = hanging(amdsmi_stub, RELOAD)
    await back(backend)
    with pytest.raises(ReloadTimeout, match=r"the driver is not back 0\.2 s after its reload began"):
        await backend.reload_driver()
    for change in (
        backend.set_compute_mode(A, ComputeMode.CPX),
        backend.set_memory_mode(MemoryMode.NPS4),
        backend.reload_driver(),
    ):
        with pytest.raises(DriverGone, match="not begun, reloading the driver has not come back"):
            await change
    amdsmi_stub.folder.release()
    assert str((await back(backend)).modes[A]) == "SPX/NPS1"
    assert [call.split()[0] for call in amdsmi_stub.folder.changes()] == [RELOAD, RELOAD]  # it began, and it ended


async def test_a_caller_that_is_cancelled_does_not_stop_the_call(amdsmi_stub: AmdsmiStub) -> None:
    backend = amdsmi_stub.backend(StubNode(faults=[(SET_PROFILE, "*", HANGS, 1)]))
    async with asyncio.TaskGroup() as tasks:
        change = tasks.create_task(backend.set_compute_mode(A, ComputeMode.DPX))
        await asyncio.to_thread(amdsmi_stub.folder.wait_for_change)
        change.cancel()
    amdsmi_stub.folder.release()
    assert str((await backend.read()).modes[A]) == "DPX/NPS1"
