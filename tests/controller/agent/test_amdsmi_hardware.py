from dataclasses import replace

import pytest

from controller.agent.amdsmi_facts import GpuFacts, NodeFacts, PartitionFacts, ProfileFacts
from controller.agent.amdsmi_hardware import Sources, current_mode, modes_allowed, node_hardware
from controller.agent.backend import NodeHardware
from controller.agent.kfd import KfdNode, Topology, assemble
from controller.gpu.mode import ComputeMode, MemoryMode
from controller.gpu.product import product_named
from tests.controller.agent.hardware import A, B

MIB = 2**20
NPS1, NPS2, NPS4 = MemoryMode
SPX, DPX, TPX, QPX, CPX = ComputeMode
MI300X = product_named("MI300X")


def partition(number: int, vram_mib: int | None = 98296, render: int | None = None) -> PartitionFacts:
    return PartitionFacts(number, 4096 + number, render or 128 + number, number, vram_mib)


UNDIVIDED = GpuFacts(
    bdf=A,
    market_name="AMD Instinct MI300X",
    serial="17",
    device_id=0x74A1,
    graphics="gfx942",
    compute_units=304,
    vram_mib=196592,
    has_compute_modes=True,
    has_memory_modes=True,
    compute=SPX,
    memory=NPS1,
    partition_count=None,
    profiles=None,
    memories=None,
    ecc=None,
    partitions=(partition(0, 196592),),
)
HALVES = replace(UNDIVIDED, compute=DPX, memory=NPS1, partition_count=2, partitions=(partition(0), partition(1)))


def profile(index: int, compute: ComputeMode, *memories: MemoryMode) -> ProfileFacts:
    """A profile; without memory modes they are not told."""
    return ProfileFacts(index, compute, frozenset(memories) or None)


def kfd(count: int = 2, vram_mib: int | None = 98296, first_render: int = 128) -> Topology:
    """A's topology with so many partitions of 152 compute units."""
    nodes = [
        KfdNode(
            number=1 + number,
            device_id=0x74A1,
            domain=0,
            location_id=0x500 + number,
            render_minor=first_render + number,
            simd_count=608,
            simd_per_cu=4,
            num_xcc=4,
            vram_bytes=None if vram_mib is None else vram_mib * MIB,
        )
        for number in range(count)
    ]
    return assemble(nodes)


def hardware(
    facts: GpuFacts, topology: Topology | str | None = None, cards: dict[int, int] | None = None
) -> NodeHardware:
    return node_hardware(Sources(NodeFacts("6.12.12", (facts,)), topology, cards or {}))


@pytest.mark.parametrize(
    ("facts", "want"),
    [
        pytest.param(replace(UNDIVIDED, profiles=None), ["SPX/NPS1"], id="none reported: the present one"),
        pytest.param(replace(UNDIVIDED, profiles=(), compute=None), [], id="none reported, none readable"),
        pytest.param(
            replace(UNDIVIDED, profiles=(profile(0, SPX, NPS1), profile(3, CPX, NPS1, NPS4))),
            ["SPX/NPS1", "CPX/NPS1", "CPX/NPS4"],
            id="what the card reports, in the driver's order",
        ),
        pytest.param(
            replace(UNDIVIDED, profiles=(profile(0, SPX, NPS1, NPS4), profile(2, TPX, NPS1))),
            ["SPX/NPS1"],
            id="pairs that the driver has not got are left out",
        ),
        pytest.param(
            replace(
                UNDIVIDED, profiles=(profile(0, SPX, NPS1), profile(3, CPX, NPS1, NPS4)), memories=frozenset({NPS1})
            ),
            ["SPX/NPS1", "CPX/NPS1"],
            id="memory modes that the card cannot be in are left out",
        ),
        pytest.param(
            replace(UNDIVIDED, profiles=(profile(0, SPX), profile(3, CPX)), memories=frozenset({NPS1, NPS4})),
            ["SPX/NPS1", "CPX/NPS1", "CPX/NPS4"],
            id="profiles without memory modes go with the card's",
        ),
        pytest.param(
            replace(UNDIVIDED, compute=QPX, memory=NPS2, profiles=(profile(0, SPX, NPS1),)),
            ["SPX/NPS1", "QPX/NPS2"],
            id="the present mode, whatever we know of it",
        ),
    ],
)
def test_modes_allowed(facts: GpuFacts, want: list[str]) -> None:
    assert [str(mode) for mode in modes_allowed(facts, MI300X)] == want


def test_an_unknown_product_has_what_the_card_reports() -> None:
    facts = replace(UNDIVIDED, device_id=0x9999, profiles=(profile(0, SPX, NPS1), profile(1, TPX, NPS2)))
    gpu = hardware(facts).gpus[0]
    assert [str(mode) for mode in gpu.modes_allowed] == ["SPX/NPS1", "TPX/NPS2"]
    assert gpu.product == "unknown (0x9999)"
    assert gpu.modes_validated == frozenset()


def test_a_virtual_function_has_the_modes_of_virtual_functions() -> None:
    facts = replace(UNDIVIDED, device_id=0x74B5, profiles=(profile(0, SPX, NPS1), profile(3, CPX, NPS1, NPS2)))
    assert "CPX/NPS2" in [str(mode) for mode in hardware(facts).gpus[0].modes_allowed]


@pytest.mark.parametrize(
    ("product", "has_compute", "has_memory", "want"),
    [
        pytest.param("MI210", False, False, "SPX/NPS1", id="a product that cannot be divided"),
        pytest.param(None, False, False, "SPX/NPS1", id="an unknown device without modes"),
        pytest.param("MI300A", True, False, "CPX/NPS1", id="a product with one memory mode"),
        pytest.param("MI300X", False, False, None, id="a product with modes does not tell them"),
        pytest.param("MI300X", True, False, None, id="a product with memory modes does not tell them"),
    ],
)
def test_devices_without_modes(product: str | None, has_compute: bool, has_memory: bool, want: str | None) -> None:
    facts = replace(
        UNDIVIDED,
        has_compute_modes=has_compute,
        has_memory_modes=has_memory,
        compute=CPX if has_compute else None,
        memory=NPS1 if has_memory else None,
    )
    mode = current_mode(facts, product_named(product) if product else None)
    assert (str(mode) if mode else None) == want


@pytest.mark.parametrize(
    ("facts", "topology", "want"),
    [
        pytest.param(UNDIVIDED, None, [(196592, 304)], id="whole, AMD SMI alone"),
        pytest.param(HALVES, None, [(98296, 0)] * 2, id="halves: units may be the whole GPU's"),
        pytest.param(
            replace(HALVES, compute_units=152), None, [(98296, 152)] * 2, id="halves: units that add up are their own"
        ),
        pytest.param(
            replace(HALVES, partitions=(partition(0, 196592), partition(1, 196592))),
            None,
            [(0, 0)] * 2,
            id="halves that tell the whole GPU's memory tell nothing",
        ),
        pytest.param(
            replace(HALVES, partitions=(partition(0, 196592), partition(1, 196592))),
            kfd(),
            [(98296, 152)] * 2,
            id="KFD wins",
        ),
        pytest.param(HALVES, kfd(vram_mib=None), [(98296, 152)] * 2, id="KFD without memory banks"),
    ],
)
def test_sizes(facts: GpuFacts, topology: Topology | None, want: list[tuple[int, int]]) -> None:
    partitions = hardware(facts, topology).gpus[0].partitions
    assert [(part.bytes // MIB, part.compute_units) for part in partitions] == want


@pytest.mark.parametrize(
    ("facts", "want"),
    [
        pytest.param(HALVES, 0, id="all there"),
        pytest.param(replace(HALVES, partitions=(partition(0),)), 1, id="one missing by the profile"),
        pytest.param(
            replace(HALVES, partition_count=None, partitions=(partition(0),)), 1, id="one missing by the table"
        ),
        pytest.param(replace(UNDIVIDED, partition_count=None), 0, id="an undivided GPU counts one"),
        pytest.param(replace(HALVES, compute=None, partition_count=None), 0, id="mode and count not told"),
    ],
)
def test_missing_partitions(facts: GpuFacts, want: int) -> None:
    assert hardware(facts).gpus[0].missing_partitions == want


def test_device_nodes_that_amdsmi_does_not_tell_come_from_the_drivers_files() -> None:
    facts = replace(HALVES, partitions=tuple(replace(part, render=None, card=None) for part in HALVES.partitions))
    told = hardware(facts, kfd(first_render=160), {160: 41, 161: 42})
    assert [(part.render_index, part.card_index) for part in told.gpus[0].partitions] == [(160, 41), (161, 42)]
    assert told.disagreements == ()


def test_a_partition_without_device_nodes_is_missing_and_named() -> None:
    facts = replace(HALVES, partitions=(partition(0), replace(partition(1), render=None)))
    told = hardware(facts)
    assert [part.id for part in told.gpus[0].partitions] == [0]
    assert told.gpus[0].missing_partitions == 1
    assert f"GPU {A} partition 1: neither AMD SMI nor the driver's files tell its device nodes" in told.disagreements[0]


@pytest.mark.parametrize(
    ("facts", "topology", "want"),
    [
        pytest.param(HALVES, kfd(), [], id="they agree"),
        pytest.param(HALVES, None, [], id="nothing to compare with"),
        pytest.param(HALVES, "/sys: cut off", ["AMD SMI shows 1 GPUs, KFD cannot be read: /sys: cut off"], id="no KFD"),
        pytest.param(HALVES, kfd(1), ["AMD SMI shows 2 partitions (0, 1), KFD 1 partitions (0)"], id="counts"),
        pytest.param(HALVES, Topology(()), [f"GPU {A}: AMD SMI shows it, KFD does not"], id="a GPU KFD has not got"),
        pytest.param(HALVES, kfd(first_render=136), ["renderD128 by AMD SMI and renderD136 by KFD"], id="device nodes"),
        pytest.param(
            replace(HALVES, compute=CPX, partition_count=2),
            kfd(),
            ["AMD SMI tells compute mode CPX, the driver's files DPX"],
            id="compute modes",
        ),
        pytest.param(
            HALVES,
            Topology((replace(kfd().gpus[0], memory_mode=NPS2),)),
            ["AMD SMI tells memory mode NPS1, the driver's files NPS2"],
            id="memory modes",
        ),
    ],
)
def test_disagreements(facts: GpuFacts, topology: Topology | str | None, want: list[str]) -> None:
    found = hardware(facts, topology).disagreements
    assert all(any(text in sentence for sentence in found) for text in want), found
    assert bool(found) is bool(want)


def test_a_gpu_that_only_kfd_shows_is_a_disagreement() -> None:
    told = node_hardware(Sources(NodeFacts("6.12.12", ()), kfd()))
    assert told.disagreements == (f"GPU {A}: KFD shows it, AMD SMI does not: reload the amdgpu driver",)


def test_the_module_tells_the_driver_where_amdsmi_does_not() -> None:
    told = node_hardware(Sources(NodeFacts("", (UNDIVIDED,)), driver_version="6.8", driver_source_version="C0FFEE"))
    assert (told.driver_version, told.driver_source_version) == ("6.8", "C0FFEE")


@pytest.mark.parametrize(
    ("pairs", "want"),
    [
        pytest.param(frozenset({frozenset({A, B})}), [0, 0], id="linked by AMD SMI"),
        pytest.param(frozenset(), [None, None], id="not linked by AMD SMI, whatever KFD says"),
        pytest.param(None, [1, 1], id="not told by AMD SMI: KFD's word"),
    ],
)
def test_links_are_amd_smis_and_kfds_where_that_tells_none(
    pairs: frozenset[frozenset[str]] | None, want: list[int | None]
) -> None:
    facts = NodeFacts("6.12.12", (UNDIVIDED, replace(UNDIVIDED, bdf=B)), pairs)
    (seen,) = kfd(1).gpus
    told = node_hardware(Sources(facts, Topology((replace(seen, hive=1), replace(seen, bdf=B, hive=1)))))
    assert [gpu.hive for gpu in told.gpus] == want
