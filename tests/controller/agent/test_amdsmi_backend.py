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
