"""A row for each trap of AMD's library and package that docs/hardware.md knows (`traps`)."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from controller.agent.amdsmi_errors import AmdsmiFailure, translated
from controller.agent.backend import (
    BackendError,
    Busy,
    DriverGone,
    GpuProcess,
    GpuUse,
    NotPermitted,
    NotSupported,
    PartitionUse,
    RestartFailed,
    SettingUnavailable,
)
from controller.agent.partitioner import Progress, ROCmPartitioner
from controller.agent.simulated_tree import write_tree
from controller.gpu.identity import PartitionId
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from tests.controller.agent import test_amdsmi_library
from tests.controller.agent.conformance.benches import Case, node_of
from tests.controller.agent.conformance.releases import with_calls, without
from tests.controller.agent.conformance.traps import known_traps, rows, trap
from tests.controller.agent.hardware import A, B
from tests.stubs.amdsmi.fixture import OWN_PID, AmdsmiStub
from tests.stubs.amdsmi.node import (
    ALWAYS,
    NOT_TOLD,
    RELOAD,
    SET_COMPUTE,
    SET_MEMORY,
    SET_PROFILE,
    StubNode,
    StubProfile,
)

pytestmark = pytest.mark.needs_cc

MIB = 2**20

trap(
    "without a library the import prints two lines and raises KeyError",
    "a library of another version raises AttributeError at import",
)(test_amdsmi_library.test_a_library_that_cannot_be_loaded_names_its_remedy)
trap("newer releases defer what was wrong with the library to the first call")(
    test_amdsmi_library.test_a_release_that_loads_with_the_first_call_fails_the_same_way
)


def test_every_trap_has_its_row() -> None:
    known = known_traps()
    assert rows() == set(known), "a trap in docs/hardware.md without a row here, or a row without its line there"
    assert len(known) == len(set(known))


async def ignore(_progress: Progress) -> None:
    return


def calls(stub: AmdsmiStub, *names: str) -> list[str]:
    return [call for call in stub.folder.calls() if call.split()[0] in names]


async def ids(stub: AmdsmiStub, node: StubNode) -> dict[str, list[int]]:
    told = await stub.backend(node).read()
    return {gpu.bdf: [partition.id for partition in gpu.partitions] for gpu in told.gpus}


# Loading -------------------------------------------------------------------------------------------------------------


@trap("a library without a driver fails to initialise with 34 or 18")
@pytest.mark.parametrize("status", [34, 18])
async def test_no_driver(amdsmi_stub: AmdsmiStub, status: int) -> None:
    backend = amdsmi_stub.backend(StubNode(faults=[("amdsmi_init", "*", status, 1)]))
    with pytest.raises(DriverGone, match="modprobe amdgpu"):
        await backend.read()
    assert len((await backend.read()).gpus) == 2


# Identity ------------------------------------------------------------------------------------------------------------


@trap("handles are invalid after a change", "a library left initialised keeps devices open")
async def test_no_handle_outlives_a_change_and_nothing_stays_open(amdsmi_stub: AmdsmiStub) -> None:
    """The stub answers 1 (INVAL) to a handle from before a change, as it is invalid then."""
    backend = amdsmi_stub.backend(StubNode("SPX/NPS1"))
    await ROCmPartitioner(backend).apply(dict.fromkeys((A, B), Mode.parse("CPX/NPS4")), ignore)
    told = amdsmi_stub.folder.calls()
    assert not [call for call in told if call.split()[-1] == "1"]
    depth = 0
    for call in told:
        depth += {"amdsmi_init": 1, "amdsmi_shut_down": -1}.get(call.split()[0], 0)
        assert depth in (0, 1)
    assert depth == 0
    for change in (SET_MEMORY, RELOAD, SET_PROFILE):
        names = [call.split()[0] for call in told]
        assert names[names.index(change) + 1] == "amdsmi_shut_down"


@trap("the partition's number is in the function of its PCI address")
async def test_the_function_names_no_gpu(amdsmi_stub: AmdsmiStub) -> None:
    assert await ids(amdsmi_stub, StubNode("QPX/NPS1")) == {A: [0, 1, 2, 3], B: [0, 1, 2, 3]}


@trap("unique ids are per partition only since ROCm 7.0")
async def test_partitions_are_told_apart_without_unique_ids(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode("DPX/NPS1", options={"uuid_of_the_whole_gpu": 1})
    backend = amdsmi_stub.backend(node)
    told = await backend.read()
    assert [[part.render_index for part in gpu.partitions] for gpu in told.gpus] == [[128, 129], [136, 137]]
    assert len({gpu.unique_id for gpu in told.gpus}) == 2
    assert not calls(amdsmi_stub, "amdsmi_get_gpu_device_uuid")


@trap("the partition's number may be missing from the KFD facts")
async def test_the_profile_tells_the_partition_where_kfd_facts_do_not(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode("QPX/NPS1", gpus=1, holes=[("amdsmi_get_gpu_kfd_info", "*", ALWAYS)])
    assert await ids(amdsmi_stub, node) == {A: [0, 1, 2, 3]}


@trap("an error of the partition profile is swallowed and reads as partition 0")
async def test_two_partitions_of_one_number_are_refused(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode(
        "DPX/NPS1",
        holes=[("amdsmi_get_gpu_kfd_info", "*", ALWAYS)],
        faults=[("amdsmi_get_gpu_accelerator_partition_profile", "*", 30, ALWAYS)],
    )
    with pytest.raises(AmdsmiFailure, match=f"lists GPU {A} partition 0 twice"):
        await amdsmi_stub.backend(node).read()


@trap("device nodes may be told as N/A")
async def test_device_nodes_come_from_the_files_where_they_are_not_told(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode("DPX/NPS1", holes=[("amdsmi_get_gpu_enumeration_info", "*", ALWAYS)])
    backend = amdsmi_stub.backend(node, root=amdsmi_stub.root)
    write_tree(amdsmi_stub.root, node_of(amdsmi_stub, Case("DPX/NPS1")), links=False)
    told = await backend.read()
    nodes = [[(part.render_index, part.card_index) for part in gpu.partitions] for gpu in told.gpus]
    assert nodes == [[(128, 0), (129, 1)], [(136, 8), (137, 9)]]
    assert told.disagreements == ()


# Modes ---------------------------------------------------------------------------------------------------------------


@trap("profile_config fails with UnboundLocalError without profiles")
async def test_without_profiles_the_present_mode_is_all_and_setting_goes_by_name(amdsmi_stub: AmdsmiStub) -> None:
    holes = [("amdsmi_get_gpu_accelerator_partition_profile_config", "*", ALWAYS)]
    backend = amdsmi_stub.backend(StubNode("SPX/NPS1", holes=holes))
    with pytest.raises(UnboundLocalError):
        _profile_config(amdsmi_stub)
    assert (await backend.read()).gpus[0].modes_allowed == (Mode.parse("SPX/NPS1"),)
    await backend.set_compute_mode(A, ComputeMode.CPX)
    assert amdsmi_stub.folder.changes() == [f"{SET_COMPUTE} {A}/0 CPX 0"]


def _profile_config(stub: AmdsmiStub) -> Any:
    """The package's own answer, which shows the trap to be there."""
    package = stub.amdsmi
    package.amdsmi_init()
    try:
        handle = package.amdsmi_get_processor_handles()[0]
        return package.amdsmi_get_gpu_accelerator_partition_profile_config(handle)
    finally:
        package.amdsmi_shut_down()


@trap("num_partitions is the largest 32-bit number in SPX")
async def test_an_undivided_gpu_counts_one_partition(amdsmi_stub: AmdsmiStub) -> None:
    holes = [("amdsmi_get_gpu_accelerator_partition_profile", "*", ALWAYS)]
    told = await amdsmi_stub.backend(StubNode("SPX/NPS1", holes=holes)).read()
    assert [(len(gpu.partitions), gpu.missing_partitions) for gpu in told.gpus] == [(1, 0), (1, 0)]


@trap("NPS8 exists as an enum only", "the card reports modes that its driver has not got")
async def test_modes_beyond_the_drivers_are_left_out(amdsmi_stub: AmdsmiStub) -> None:
    """Masks of memory modes as the library has them: 15 is NPS1, NPS2, NPS4 and NPS8."""
    backend = amdsmi_stub.backend(StubNode("SPX/NPS1", product="MI300A", profiles=()))
    amdsmi_stub.folder.add("profile 0 SPX 1 15", "profile 1 DPX 2 15", "profile 2 TPX 3 15", "profile 3 CPX 6 8")
    assert [str(mode) for mode in (await backend.read()).gpus[0].modes_allowed] == ["SPX/NPS1", "TPX/NPS1"]


@trap("enums are required: a text is a parameter error")
async def test_a_text_is_refused_by_the_package_and_never_given_to_it(amdsmi_stub: AmdsmiStub) -> None:
    package = amdsmi_stub.amdsmi
    backend = amdsmi_stub.backend(StubNode())
    package.amdsmi_init()
    handle = package.amdsmi_get_processor_handles()[0]
    with pytest.raises(package.AmdSmiParameterException) as refusal:
        package.amdsmi_set_gpu_compute_partition(handle, "CPX")
    package.amdsmi_shut_down()
    assert type(translated(refusal.value, "setting", frozenset())) is AmdsmiFailure
    amdsmi_stub.folder.add(f"fault {SET_PROFILE} * 2 1")
    await backend.set_compute_mode(A, ComputeMode.CPX)
    assert amdsmi_stub.folder.modes()[A] == "CPX/NPS1"


@trap("a device does not support profile indices")
@pytest.mark.parametrize("missing", ["the call", "its support"])
async def test_without_profile_indices_the_mode_is_set_by_name(amdsmi_stub: AmdsmiStub, missing: str) -> None:
    package = without(amdsmi_stub.amdsmi, SET_PROFILE) if missing == "the call" else None
    faults = [(SET_PROFILE, "*", 2, ALWAYS)] if missing == "its support" else []
    await amdsmi_stub.backend(StubNode(faults=faults), amdsmi=package).set_compute_mode(A, ComputeMode.DPX)
    assert amdsmi_stub.folder.changes()[-1] == f"{SET_COMPUTE} {A}/0 DPX 0"
    assert amdsmi_stub.folder.modes()[A] == "DPX/NPS1"


@trap("a release has no call to set a memory mode by its new name")
@pytest.mark.parametrize("call", ["amdsmi_set_gpu_memory_partition_mode", "amdsmi_set_gpu_memory_partition"])
async def test_either_name_of_the_memory_setter_serves(amdsmi_stub: AmdsmiStub, call: str) -> None:
    backend = amdsmi_stub.backend(StubNode(), amdsmi=without(amdsmi_stub.amdsmi, call))
    await backend.set_memory_mode(MemoryMode.NPS4)
    assert len(calls(amdsmi_stub, SET_MEMORY)) == 2


@trap("ROCm 10 deprecates the calls that name compute and memory partitions")
async def test_profiles_and_modes_do_without_the_calls_by_name(amdsmi_stub: AmdsmiStub) -> None:
    by_name = [f"amdsmi_{verb}_gpu_{kind}_partition" for verb in ("get", "set") for kind in ("compute", "memory")]
    package = without(amdsmi_stub.amdsmi, *by_name, RELOAD)
    backend = amdsmi_stub.backend(StubNode("DPX/NPS2"), amdsmi=package)
    assert {str(mode) for mode in (await backend.read()).modes.values()} == {"DPX/NPS2"}
    target = dict.fromkeys((A, B), Mode.parse("CPX/NPS4"))
    assert (await ROCmPartitioner(backend).apply(target, ignore)).modes == target


async def test_a_release_without_either_is_not_supported(amdsmi_stub: AmdsmiStub) -> None:
    package = without(amdsmi_stub.amdsmi, "amdsmi_set_gpu_memory_partition_mode", "amdsmi_set_gpu_memory_partition")
    with pytest.raises(NotSupported, match="use a newer one"):
        await amdsmi_stub.backend(StubNode(), amdsmi=package).set_memory_mode(MemoryMode.NPS4)


@trap("a virtual function of a guest can be read and not set")
async def test_a_guest_reads_and_does_not_set(amdsmi_stub: AmdsmiStub) -> None:
    guest = amdsmi_stub.amdsmi.AmdSmiVirtualizationMode.GUEST.value
    backend = amdsmi_stub.backend(StubNode("CPX/NPS1", options={"virtualization": guest}))
    assert str((await backend.read()).gpus[0].mode) == "CPX/NPS1"
    with pytest.raises(NotPermitted, match="a virtual function"):
        await backend.set_compute_mode(A, ComputeMode.SPX)


# Memory mode and reload ----------------------------------------------------------------------------------------------


@trap("before ROCm 7.0 setting the memory mode reloads by itself")
async def test_a_release_that_reloads_when_the_memory_mode_is_set(amdsmi_stub: AmdsmiStub) -> None:
    package = without(amdsmi_stub.amdsmi, RELOAD)
    backend = amdsmi_stub.backend(StubNode("SPX/NPS1", options={"memory_set_reloads": 1}), amdsmi=package)
    target = dict.fromkeys((A, B), Mode.parse("CPX/NPS4"))
    assert (await ROCmPartitioner(backend).apply(target, ignore)).modes == target
    assert [call.split()[0] for call in amdsmi_stub.folder.changes()] == [SET_MEMORY, SET_PROFILE, SET_PROFILE]
    assert amdsmi_stub.modprobe.arguments == []


@trap("ROCm 10 has no call to reload", "the reload is not supported here")
@pytest.mark.parametrize("missing", ["the call", "its support"])
async def test_modprobe_reloads_where_the_library_does_not(amdsmi_stub: AmdsmiStub, missing: str) -> None:
    package = without(amdsmi_stub.amdsmi, RELOAD) if missing == "the call" else None
    faults = [(RELOAD, "*", 2, ALWAYS)] if missing == "its support" else []
    backend = amdsmi_stub.backend(StubNode("SPX/NPS1", faults=faults), amdsmi=package)
    target = dict.fromkeys((A, B), Mode.parse("CPX/NPS4"))
    assert (await ROCmPartitioner(backend).apply(target, ignore)).modes == target
    assert amdsmi_stub.modprobe.arguments == [("-r", "amdgpu"), ("amdgpu",)]


@trap("compute first makes the reload fail")
async def test_the_partitioner_reloads_before_it_sets_compute_modes(amdsmi_stub: AmdsmiStub) -> None:
    backend = amdsmi_stub.backend(StubNode("DPX/NPS1"))
    await ROCmPartitioner(backend).apply({A: Mode.parse("CPX/NPS4"), B: Mode.parse("QPX/NPS4")}, ignore)
    assert amdsmi_stub.folder.changes() == [
        f"{SET_MEMORY} {A}/0 NPS4 0",
        f"{SET_MEMORY} {B}/0 NPS4 0",
        f"{RELOAD} - 0",
        f"{SET_PROFILE} {A}/0 CPX 0",
    ]
    amdsmi_stub.folder.add(f"process {A} 4711 python")  # whoever opens a device between makes it status 54
    with pytest.raises(RestartFailed, match="close all handles"):
        await backend.reload_driver()


@trap("SPX from NPS4 is unavailable")
async def test_spx_does_not_go_with_nps4(amdsmi_stub: AmdsmiStub) -> None:
    with pytest.raises(SettingUnavailable):
        await amdsmi_stub.backend(StubNode("CPX/NPS4")).set_compute_mode(A, ComputeMode.SPX)
    assert amdsmi_stub.folder.changes()[-1].endswith(" 55")


@trap("a request for a memory mode cannot be taken back")
async def test_a_request_that_stands_is_told(amdsmi_stub: AmdsmiStub) -> None:
    backend = amdsmi_stub.backend(StubNode("SPX/NPS1"))
    await backend.set_memory_mode(MemoryMode.NPS4)
    with pytest.raises(SettingUnavailable, match="one that stands for another mode comes with the next reload"):
        await backend.set_memory_mode(MemoryMode.NPS1)
    await backend.reload_driver()
    assert set(amdsmi_stub.folder.modes().values()) == {"QPX/NPS4"}
    await backend.set_memory_mode(MemoryMode.NPS1)
    await backend.reload_driver()
    assert set(amdsmi_stub.folder.modes().values()) == {"SPX/NPS1"}


# Figures -------------------------------------------------------------------------------------------------------------


async def busy(stub: AmdsmiStub, node: StubNode) -> Mapping[str, float | None]:
    return {str(partition): use.busy for partition, use in (await stub.backend(node).usage()).partitions.items()}


@trap("whole-GPU metrics exist on partition 0 only")
async def test_a_partitions_busy_share_is_its_own(amdsmi_stub: AmdsmiStub) -> None:
    """The stub tells 99 for the whole GPU as soon as it is divided."""
    divided = StubNode("DPX/NPS1", gpus=1, busy_percent={(A, 0): 20, (A, 1): 60})
    assert await busy(amdsmi_stub, divided) == {f"{A}/0": 0.2, f"{A}/1": 0.6}
    whole = StubNode("SPX/NPS1", gpus=1, busy_percent={(A, 0): 35})
    assert await busy(amdsmi_stub, whole) == {f"{A}/0": 0.35}


@trap("busy shares have N/A holes")
async def test_holes_are_not_zeros(amdsmi_stub: AmdsmiStub) -> None:
    """Of the 64 places of `gfx_busy_inst` a GPU fills as many as it has dies; the others are N/A."""
    node = StubNode("CPX/NPS1", gpus=1, busy_percent={(A, 7): 80}, holes=[("amdsmi_get_gpu_activity", "*", ALWAYS)])
    assert (await busy(amdsmi_stub, node))[f"{A}/7"] == 0.8
    node.holes.append(("amdsmi_get_gpu_metrics_info", "*", ALWAYS))
    assert set((await busy(amdsmi_stub, node)).values()) == {None}


@trap("a sensor that is not there reads N/A or 0")
async def test_sensors_that_are_not_there_are_not_zeros(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode("DPX/NPS1", sensors={A: (61, NOT_TOLD, 0, 412, NOT_TOLD), B: (NOT_TOLD, 0, NOT_TOLD, 0, NOT_TOLD)})
    gpus = (await amdsmi_stub.backend(node).usage()).gpus
    assert (gpus[A].temperatures, gpus[A].power_watts) == ({"hotspot": 61.0}, 412.0)
    assert (gpus[B].temperatures, gpus[B].power_watts) == ({}, None)


@trap("power is told as a present value, an average, or not at all")
async def test_the_present_power_counts_before_the_average(amdsmi_stub: AmdsmiStub) -> None:
    sensors = {A: (61, 55, 40, 412, 300), B: (61, 55, 40, NOT_TOLD, 300)}
    gpus = (await amdsmi_stub.backend(StubNode("SPX/NPS1", sensors=sensors)).usage()).gpus
    assert (gpus[A].power_watts, gpus[B].power_watts) == (412.0, 300.0)
    assert gpus[A].temperatures == {"hotspot": 61.0, "memory": 55.0, "edge": 40.0}


async def test_a_gpu_whose_metrics_fail_tells_the_rest(amdsmi_stub: AmdsmiStub) -> None:
    faults = [("amdsmi_get_gpu_metrics_info", A, 2, ALWAYS)]
    told = await amdsmi_stub.backend(StubNode("DPX/NPS1", used_mib={(A, 1): 100}, faults=faults)).usage()
    assert told.gpus[A] == GpuUse({}, None)
    assert told.partitions[PartitionId(A, 1)] == PartitionUse(100 * MIB, None)
    assert told.gpus[B].power_watts is not None


async def test_a_driver_that_goes_while_use_is_read_is_an_error(amdsmi_stub: AmdsmiStub) -> None:
    faults = [("amdsmi_get_gpu_vram_usage", B, 34, ALWAYS)]
    with pytest.raises(DriverGone):
        await amdsmi_stub.backend(StubNode("SPX/NPS1", faults=faults)).usage()


@trap("a partition tells the whole GPU's memory")
async def test_memory_of_the_whole_gpu_is_not_a_partitions(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode("DPX/NPS1", gpus=1, used_mib={(A, 0): 100}, options={"vram_of_the_whole_gpu": 1})
    backend = amdsmi_stub.backend(node)
    assert [part.bytes for part in (await backend.read()).gpus[0].partitions] == [0, 0]
    assert (await backend.usage()).partitions[PartitionId(A, 0)].used_bytes is None
    write_tree(amdsmi_stub.root, node_of(amdsmi_stub, Case("DPX/NPS1", gpus=1)), links=False)
    checked = amdsmi_stub.backend(node, root=amdsmi_stub.root)
    assert [part.bytes for part in (await checked.read()).gpus[0].partitions] == [98296 * MIB] * 2


async def test_memory_in_use_is_told_by_partition(amdsmi_stub: AmdsmiStub) -> None:
    backend = amdsmi_stub.backend(StubNode("DPX/NPS1", gpus=1, used_mib={(A, 1): 100}))
    assert [use.used_bytes for use in (await backend.usage()).partitions.values()] == [0, 100 * MIB]


@trap("63 of 64 partitions are there")
async def test_a_partition_that_nobody_shows_is_missing_and_no_contradiction(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode("CPX/NPS4", gpus=8)
    last = "0000:e5:00.0"
    node.holes.append(("partition", last, 7))
    told = await amdsmi_stub.backend(node).read()
    assert sum(len(gpu.partitions) for gpu in told.gpus) == 63
    assert {gpu.bdf: gpu.missing_partitions for gpu in told.gpus if gpu.missing_partitions} == {last: 1}
    assert told.disagreements == ()


@trap("the agent itself has the devices open", "a process may have no name")
async def test_our_own_process_is_nobodys_and_names_may_be_missing(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode("DPX/NPS1", processes=[(A, OWN_PID, "agent"), (A, 4712, ""), (B, OWN_PID, "agent")])
    assert await amdsmi_stub.backend(node).processes() == {A: (GpuProcess(4712, ""),)}


@trap("processes with a KFD context alone")
async def test_kfd_tells_processes_that_amdsmi_does_not(amdsmi_stub: AmdsmiStub) -> None:
    node = StubNode("SPX/NPS1", processes=[(A, 4712, "python"), (B, OWN_PID, "agent")])
    backend = amdsmi_stub.backend(node, root=amdsmi_stub.root)
    write_tree(amdsmi_stub.root, node_of(amdsmi_stub, Case("SPX/NPS1")), links=False)
    amdsmi_stub.folder.drop("process")
    amdsmi_stub.folder.add(f"process {B} 4713 exporter")
    assert await backend.processes() == {A: (GpuProcess(4712, ""),), B: (GpuProcess(4713, "exporter"),)}


@pytest.mark.parametrize(("status", "error"), [(2, NotSupported), (30, Busy), (12, AmdsmiFailure)])
async def test_a_list_of_processes_that_cannot_be_read_is_not_an_empty_one(
    amdsmi_stub: AmdsmiStub, status: int, error: type[BackendError]
) -> None:
    faults = [("amdsmi_get_gpu_process_list", A, status, ALWAYS)]
    with pytest.raises(error, match="amdsmi_get_gpu_process_list"):
        await amdsmi_stub.backend(StubNode("DPX/NPS1", faults=faults)).processes()


async def test_a_list_that_only_the_first_partition_gives_counts(amdsmi_stub: AmdsmiStub) -> None:
    def first_only(handle: Any) -> Any:
        if amdsmi_stub.amdsmi.amdsmi_get_gpu_kfd_info(handle)["current_partition_id"]:
            raise amdsmi_stub.amdsmi.AmdSmiLibraryException(2)
        return amdsmi_stub.amdsmi.amdsmi_get_gpu_process_list(handle)

    package = with_calls(amdsmi_stub.amdsmi, amdsmi_get_gpu_process_list=first_only)
    node = StubNode("DPX/NPS1", processes=[(A, 4712, "python")])
    assert await amdsmi_stub.backend(node, amdsmi=package).processes() == {A: (GpuProcess(4712, "python"),)}


async def test_an_unknown_product_has_the_modes_its_card_reports(amdsmi_stub: AmdsmiStub) -> None:
    two = (
        StubProfile(4, "SPX", 1, frozenset({MemoryMode.NPS1})),
        StubProfile(7, "TPX", 3, frozenset({MemoryMode.NPS2})),
    )
    told = (await amdsmi_stub.backend(StubNode("SPX/NPS1", device_id=0x9999, profiles=two)).read()).gpus[0]
    assert (told.product, [str(mode) for mode in told.modes_allowed]) == (
        "unknown (0x9999)",
        ["SPX/NPS1", "TPX/NPS2"],
    )


async def test_a_call_at_a_time_whoever_calls(amdsmi_stub: AmdsmiStub) -> None:
    """Visits must not overlap: one that shuts down would take the handles of the other."""
    backend = amdsmi_stub.backend(StubNode("CPX/NPS1"))
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(backend.read())
            tasks.create_task(backend.usage())
    names = [call.split()[0] for call in calls(amdsmi_stub, "amdsmi_init", "amdsmi_shut_down")]
    assert names == ["amdsmi_init", "amdsmi_shut_down"] * 6
