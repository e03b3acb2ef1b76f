"""Every enum member and every status of the installed package has its row: what the backend makes of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from controller.agent.amdsmi_errors import REACTIONS, AmdsmiFailure
from controller.agent.backend import (
    BackendError,
    Busy,
    DriverGone,
    NotPermitted,
    NotSupported,
    RestartFailed,
    SettingUnavailable,
)
from controller.gpu.mode import ComputeMode, MemoryMode
from tests.controller.agent.hardware import A, B
from tests.stubs.amdsmi.fixture import AmdsmiStub, LoadedStub
from tests.stubs.amdsmi.library import implemented
from tests.stubs.amdsmi.node import SET_COMPUTE, SET_PROFILE, StubNode, StubProfile
from tests.stubs.amdsmi.wrapper import load_wrapper, symbols, wrapper_file

pytestmark = pytest.mark.needs_cc

COMPUTE: Mapping[str, ComputeMode | None] = {
    "SPX": ComputeMode.SPX,
    "DPX": ComputeMode.DPX,
    "TPX": ComputeMode.TPX,
    "QPX": ComputeMode.QPX,
    "CPX": ComputeMode.CPX,
    "INVALID": None,
}
MEMORY: Mapping[str, MemoryMode | None] = {
    "NPS1": MemoryMode.NPS1,
    "NPS2": MemoryMode.NPS2,
    "NPS4": MemoryMode.NPS4,
    "NPS8": None,
    "UNKNOWN": None,
}
VIRTUALIZATION = {"UNKNOWN": True, "BAREMETAL": True, "HOST": True, "GUEST": False, "PASSTHROUGH": True}
"""Whether a mode may be set there."""

_OTHER = AmdsmiFailure
STATUSES: Mapping[str, type[BackendError]] = {
    "INVAL": _OTHER,
    "NOT_SUPPORTED": NotSupported,
    "NOT_YET_IMPLEMENTED": _OTHER,
    "FAIL_LOAD_MODULE": _OTHER,
    "FAIL_LOAD_SYMBOL": _OTHER,
    "DRM_ERROR": _OTHER,
    "API_FAILED": _OTHER,
    "TIMEOUT": _OTHER,
    "RETRY": _OTHER,
    "NO_PERM": NotPermitted,
    "INTERRUPT": _OTHER,
    "IO": _OTHER,
    "ADDRESS_FAULT": _OTHER,
    "FILE_ERROR": _OTHER,
    "OUT_OF_RESOURCES": _OTHER,
    "INTERNAL_EXCEPTION": _OTHER,
    "INPUT_OUT_OF_BOUNDS": _OTHER,
    "INIT_ERROR": DriverGone,
    "REFCOUNT_OVERFLOW": _OTHER,
    "DIRECTORY_NOT_FOUND": _OTHER,
    "BUSY": Busy,
    "NOT_FOUND": _OTHER,
    "NOT_INIT": DriverGone,
    "NO_SLOT": _OTHER,
    "DRIVER_NOT_LOADED": DriverGone,
    "MORE_DATA": _OTHER,
    "NO_DATA": _OTHER,
    "INSUFFICIENT_SIZE": _OTHER,
    "UNEXPECTED_SIZE": _OTHER,
    "UNEXPECTED_DATA": _OTHER,
    "NON_AMD_CPU": _OTHER,
    "NO_ENERGY_DRV": _OTHER,
    "NO_MSR_DRV": _OTHER,
    "NO_HSMP_DRV": _OTHER,
    "NO_HSMP_SUP": _OTHER,
    "NO_HSMP_MSG_SUP": _OTHER,
    "HSMP_TIMEOUT": _OTHER,
    "NO_DRV": _OTHER,
    "FILE_NOT_FOUND": _OTHER,
    "ARG_PTR_NULL": _OTHER,
    "AMDGPU_RESTART_ERR": RestartFailed,
    "SETTING_UNAVAILABLE": SettingUnavailable,
    "CORRUPTED_EEPROM": _OTHER,
    "MAP_ERROR": _OTHER,
    "UNKNOWN_ERROR": _OTHER,
}


def codes() -> dict[str, int]:
    """The statuses of the installed package by name, success left out."""
    found = vars(load_wrapper(wrapper_file()))
    prefix = "AMDSMI_STATUS_"
    return {name.removeprefix(prefix): code for name, code in found.items() if name.startswith(prefix) and code}


def members(loaded: LoadedStub, enum: str) -> set[str]:
    return set(getattr(loaded.amdsmi, enum).__members__)


def test_every_status_of_the_package_has_its_row() -> None:
    assert codes().keys() == STATUSES.keys()


def test_every_reaction_of_the_backend_has_a_row_of_its_error() -> None:
    assert {code: STATUSES[name] for name, code in codes().items() if STATUSES[name] is not _OTHER} == {
        code: reaction.error for code, reaction in REACTIONS.items()
    }


def test_every_enum_member_of_the_package_has_its_row(loaded_stub: LoadedStub) -> None:
    from_interface: Any = loaded_stub.amdsmi.amdsmi_interface
    assert members(loaded_stub, "AmdSmiComputePartitionType") == COMPUTE.keys()
    assert set(from_interface.AmdSmiAcceleratorPartitionType.__members__) == COMPUTE.keys()
    assert members(loaded_stub, "AmdSmiMemoryPartitionType") == MEMORY.keys()
    assert members(loaded_stub, "AmdSmiVirtualizationMode") == VIRTUALIZATION.keys()


def test_our_modes_are_all_the_packages() -> None:
    assert {mode for mode in COMPUTE.values() if mode} == set(ComputeMode)
    assert {mode for mode in MEMORY.values() if mode} == set(MemoryMode)


def test_the_stub_answers_calls_that_the_wrapper_knows() -> None:
    assert implemented() <= symbols(wrapper_file().read_text())


@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_becomes_its_error(amdsmi_stub: AmdsmiStub, status: str) -> None:
    code = codes()[status]
    backend = amdsmi_stub.backend(StubNode(faults=[("amdsmi_set_gpu_memory_partition", "*", code, 1)]))
    with pytest.raises(BackendError) as error:
        await backend.set_memory_mode(MemoryMode.NPS4)
    assert type(error.value) is STATUSES[status]
    assert A in str(error.value)
    if isinstance(error.value, AmdsmiFailure):
        assert error.value.code == code
    if isinstance(error.value, Busy):
        assert error.value.gpus == {A, B}
    assert len([call for call in amdsmi_stub.folder.calls() if call.startswith("amdsmi_shut_down")]) == 2


@pytest.mark.parametrize("name", COMPUTE)
async def test_a_compute_mode_is_read_and_set(amdsmi_stub: AmdsmiStub, name: str) -> None:
    """By a card that can be in every mode there is; INVALID is not told."""
    mode = COMPUTE[name]
    every = tuple(
        StubProfile(10 + index, compute, 1, frozenset({MemoryMode.NPS1})) for index, compute in enumerate(ComputeMode)
    )
    node = StubNode(device_id=0x9999, profiles=every)
    if mode is None:
        node.holes.append(("amdsmi_get_gpu_compute_partition", B, -1))
        gpus = (await amdsmi_stub.backend(node).read()).gpus
        assert [gpu.mode is None for gpu in gpus] == [False, True]
        return
    backend = amdsmi_stub.backend(node)
    await backend.set_compute_mode(B, mode)
    changes = amdsmi_stub.folder.changes()
    assert changes == [f"{SET_PROFILE} {B}/0 {mode} 0"]
    (_, other) = (await backend.read()).gpus
    assert other.mode is not None
    assert other.mode.compute is mode
    assert [allowed.compute for allowed in other.modes_allowed] == list(ComputeMode)


@pytest.mark.parametrize("mode", list(ComputeMode))
async def test_a_compute_mode_is_set_by_its_enum_where_there_are_no_profiles(
    amdsmi_stub: AmdsmiStub, mode: ComputeMode
) -> None:
    node = StubNode(
        device_id=0x9999,
        profiles=tuple(StubProfile(n, one, 1, frozenset({MemoryMode.NPS1})) for n, one in enumerate(ComputeMode)),
        faults=[(SET_PROFILE, "*", 2, -1)],
    )
    await amdsmi_stub.backend(node).set_compute_mode(A, mode)
    assert amdsmi_stub.folder.changes()[1:] == [f"{SET_COMPUTE} {A}/0 {mode} 0"]


@pytest.mark.parametrize("name", MEMORY)
async def test_a_memory_mode_is_read_and_set(amdsmi_stub: AmdsmiStub, name: str) -> None:
    mode = MEMORY[name]
    every = frozenset(MemoryMode)
    first = "SPX/NPS2" if name == "NPS1" else "SPX/NPS1"
    node = StubNode(first, device_id=0x9999, profiles=(StubProfile(0, "SPX", 1, every),))
    if mode is None:
        node.holes.append(("amdsmi_get_gpu_memory_partition", "*", -1))
        assert [gpu.mode for gpu in (await amdsmi_stub.backend(node).read()).gpus] == [None, None]
        return
    backend = amdsmi_stub.backend(node)
    await backend.set_memory_mode(mode)
    await backend.reload_driver()
    told = (await backend.read()).gpus[0]
    assert told.mode is not None
    assert told.mode.memory is mode
    assert {allowed.memory for allowed in told.modes_allowed} == every


@pytest.mark.parametrize("name", VIRTUALIZATION)
async def test_only_a_guest_may_not_set(amdsmi_stub: AmdsmiStub, loaded_stub: LoadedStub, name: str) -> None:
    number = loaded_stub.amdsmi.AmdSmiVirtualizationMode[name].value
    backend = amdsmi_stub.backend(StubNode(options={"virtualization": number}))
    if VIRTUALIZATION[name]:
        await backend.set_compute_mode(A, ComputeMode.CPX)
        return
    for change in (backend.set_compute_mode(A, ComputeMode.CPX), backend.set_memory_mode(MemoryMode.NPS4)):
        with pytest.raises(NotPermitted, match="set it on the host"):
            await change
    assert amdsmi_stub.folder.changes() == []
