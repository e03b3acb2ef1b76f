import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.agent.kfd import Topology, TopologyError
from controller.agent.sysfs import read_topology
from tests.builders.kfd_recording import unpack


@pytest.fixture(scope="module")
def mi300x_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack("topo-mi300-cpx.tar.gz", tmp_path_factory.mktemp("mi300x"))


@pytest.fixture(scope="module")
def mi300x(mi300x_root: Path) -> Topology:
    return read_topology(mi300x_root)


@pytest.fixture
def mi308x_root(tmp_path: Path) -> Path:
    return unpack("topo-mi308-nodes.tar.gz", tmp_path)


def test_the_recorded_mi300x_are_told_by_address(mi300x: Topology) -> None:
    buses = ("05", "27", "47", "65", "85", "a7", "c7", "e5")
    assert [gpu.bdf for gpu in mi300x.gpus] == [f"0000:{bus}:00.0" for bus in buses]
    assert {(gpu.product_name, gpu.compute_mode, gpu.memory_mode, gpu.vram_bytes) for gpu in mi300x.gpus} == {
        ("MI300X", "CPX", None, None)
    }


def test_the_recorded_partitions_have_ids_renders_and_units(mi300x: Topology) -> None:
    found = [
        (gpu.bdf, p.id, p.render_minor, p.vram_bytes, p.compute_units) for gpu in mi300x.gpus for p in gpu.partitions
    ]
    want = [(mi300x.gpus[n // 8].bdf, n % 8, 128 + n, None, 38) for n in range(63)]
    assert found == want


def test_the_partition_another_driver_holds_is_counted_as_missing(mi300x: Topology) -> None:
    assert [gpu.missing_partitions for gpu in mi300x.gpus] == [0] * 7 + [1]


@pytest.mark.parametrize("below", ["topology", "."])
def test_either_folder_above_the_nodes_will_do(mi300x_root: Path, mi300x: Topology, below: str) -> None:
    assert read_topology(mi300x_root / below) == mi300x


def test_memory_banks_give_the_sizes(mi308x_root: Path) -> None:
    gpus = read_topology(mi308x_root).gpus
    assert len(gpus) == 8
    assert [gpu.bdf for gpu in gpus][3:5] == ["0000:c8:00.0", "0001:0b:00.0"]
    assert {(gpu.product_name, gpu.compute_mode, gpu.vram_bytes) for gpu in gpus} == {("MI308X", "CPX", 196592 << 20)}
    assert [part.vram_bytes for part in gpus[0].partitions] == [49152 << 20] * 3 + [49136 << 20]


def test_a_product_that_cannot_partition_is_one_spx_partition(tmp_path: Path) -> None:
    gpus = read_topology(unpack("topo-mi210-nodes.tar.gz", tmp_path)).gpus
    assert len(gpus) == 8
    assert {(gpu.product_name, gpu.compute_mode, len(gpu.partitions)) for gpu in gpus} == {("MI210", "SPX", 1)}
    assert {gpu.partitions[0].compute_units for gpu in gpus} == {104}


def test_below_a_whole_sys_the_devices_tell_their_modes(mi308x_root: Path, tmp_path: Path) -> None:
    sys_root = tmp_path / "sys"
    shutil.copytree(mi308x_root / "topology", sys_root / "class/kfd/kfd/topology")
    for bdf, compute, memory in (("0000:0a:00.0", "CPX\n", "NPS4\n"), ("0000:80:00.0", "UNKNOWN\n", "UNKNOWN\n")):
        device = sys_root / "bus/pci/devices" / bdf
        device.mkdir(parents=True)
        (device / "current_compute_partition").write_text(compute)
        (device / "current_memory_partition").write_text(memory)
    gpus = {gpu.bdf: gpu for gpu in read_topology(sys_root).gpus}
    assert (gpus["0000:0a:00.0"].compute_mode, gpus["0000:0a:00.0"].memory_mode) == ("CPX", "NPS4")
    assert (gpus["0000:80:00.0"].compute_mode, gpus["0000:80:00.0"].memory_mode) == ("CPX", None)


def cut_in_half(nodes: Path) -> None:
    text = (nodes / "7/properties").read_text()
    (nodes / "7/properties").write_text(text[: len(text) // 2])


def file_to_folder(nodes: Path) -> None:
    (nodes / "7/properties").unlink()
    (nodes / "7/properties").mkdir()


def cut_by(characters: int, path: str) -> Callable[[Path], object]:
    return lambda nodes: (nodes / path).write_text((nodes / path).read_text()[:-characters])


def drop_gpus(nodes: Path) -> None:
    for number in range(2, 34):
        shutil.rmtree(nodes / str(number))


BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a node file is cut off": (cut_in_half, "nodes/7/properties"),
    "a node file is empty": (lambda nodes: (nodes / "7/properties").write_text(""), "nodes/7/properties: is empty"),
    "a node file is missing": (lambda nodes: (nodes / "7/properties").unlink(), "nodes/7/properties: cannot be read"),
    "a node file is a folder": (
        file_to_folder,
        "nodes/7/properties: cannot be read",
    ),
    "a node file is binary": (
        lambda nodes: (nodes / "7/properties").write_bytes(b"\xff\xfe"),
        "nodes/7/properties: cannot be read",
    ),
    "a node is missing": (lambda nodes: shutil.rmtree(nodes / "7"), "nodes: nodes 7 are missing"),
    "the last node is missing": (lambda nodes: shutil.rmtree(nodes / "33"), "counts 33 links, and there are 32 other"),
    "the last file lost three characters": (cut_by(3, "33/properties"), "nodes/33/properties: ends within a line"),
    "the last file lost its last newline": (cut_by(1, "33/properties"), "nodes/33/properties: ends within a line"),
    "a bank lost its last newline": (cut_by(1, "7/mem_banks/0/properties"), "mem_banks/0/properties: ends within"),
    "a node lost its banks": (
        lambda nodes: shutil.rmtree(nodes / "7/mem_banks"),
        "nodes/7/mem_banks: holds 0 of the 1 memory banks",
    ),
    "a bank lost its file": (
        lambda nodes: (nodes / "33/mem_banks/0/properties").unlink(),
        "nodes/33/mem_banks: holds 0 of the 1 memory banks",
    ),
    "no node is a GPU": (drop_gpus, "no node is a GPU"),
    "a bank is cut off": (
        lambda nodes: (nodes / "7/mem_banks/0/properties").write_text("heap_type 1\n"),
        "mem_banks/0/properties: has no size_in_bytes",
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_tree_is_refused_by_path(mi308x_root: Path, breakage: str) -> None:
    damage, want = BREAKAGES[breakage]
    damage(mi308x_root / "topology/nodes")
    with pytest.raises(TopologyError) as refusal:
        read_topology(mi308x_root)
    assert want in str(refusal.value)


def test_a_recording_of_node_properties_only_that_lost_its_last_node_is_refused(tmp_path: Path) -> None:
    root = unpack("topo-mi210-nodes.tar.gz", tmp_path)
    shutil.rmtree(root / "nodes/9")
    with pytest.raises(
        TopologyError, match="nodes/2/properties: counts 9 links, and there are 8 other nodes, so 1 are"
    ):
        read_topology(root)


def test_a_gpu_without_links_to_all_its_peers_is_read(mi308x_root: Path) -> None:
    for path in mi308x_root.glob("topology/nodes/*/properties"):
        path.write_text(path.read_text().replace("io_links_count 32", "io_links_count 1"))
    assert len(read_topology(mi308x_root).gpus) == 8


def test_a_tree_that_lost_its_end_is_refused(mi300x_root: Path, tmp_path: Path) -> None:
    shutil.copytree(mi300x_root / "topology/nodes/2", tmp_path / "nodes/2")
    for number in (0, 1):
        (tmp_path / "nodes" / str(number)).mkdir()
        shutil.copy(mi300x_root / f"topology/nodes/{number}/properties", tmp_path / f"nodes/{number}/properties")
    with pytest.raises(TopologyError, match="which is missing: record the whole tree again"):
        read_topology(tmp_path)


def test_a_render_minor_cut_short_is_refused(tmp_path: Path) -> None:
    node = tmp_path / "nodes/0"
    node.mkdir(parents=True)
    lines = ("simd_count 416", "simd_per_cu 4", "device_id 29711", "location_id 25344", "drm_render_minor 12")
    (node / "properties").write_text("\n".join(lines) + "\n")
    with pytest.raises(TopologyError, match="drm_render_minor 12 is none"):
        read_topology(tmp_path)


@pytest.mark.parametrize("name", ["absent", "file", "empty"])
def test_a_place_that_holds_no_topology_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TopologyError, match=f"{name}: holds no KFD topology.*give /sys"):
        read_topology(tmp_path / name)


def test_an_empty_nodes_folder_has_no_gpu(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    with pytest.raises(TopologyError, match="no node is a GPU: load the amdgpu driver"):
        read_topology(tmp_path)
