from pathlib import Path

import pytest

from controller.agent.kfd import parse_properties
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_tree import write_tree
from controller.agent.sysfs import read_topology
from controller.gpu.mode import Mode
from tests.builders.kfd_recording import unpack
from tests.fakes.clock import SkippingClock

NODES = "class/kfd/kfd/topology/nodes"
DEVICE = "bus/pci/devices/0000:05:00.0"


def simulated(mode: str, product: str = "MI300X", gpus: int = 2) -> SimulatedBackend:
    shape = SimulatedShape(Mode.parse(mode), gpus=gpus, product=product)
    return SimulatedBackend(shape, SkippingClock(), held=lambda: frozenset({"0000:05:00.0"}), used=dict)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sys")
    write_tree(root, simulated("CPX/NPS4").node())
    return root


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack("topo-mi300-cpx.tar.gz", tmp_path_factory.mktemp("kfd")) / "topology"


def properties(path: Path) -> dict[str, int]:
    return parse_properties(path.read_text(), str(path))


@pytest.mark.parametrize("node", [0, 2], ids=["a socket", "a partition"])
def test_properties_are_those_of_the_recorded_host_in_its_order(root: Path, recorded: Path, node: int) -> None:
    ours, theirs = (properties(nodes / str(node) / "properties") for nodes in (root / NODES, recorded / "nodes"))
    assert list(ours) == list(theirs)


def test_what_tells_gpus_apart_is_as_recorded(root: Path, recorded: Path) -> None:
    told = ("simd_count", "simd_per_cu", "gfx_target_version", "device_id", "location_id", "drm_render_minor")
    for node in range(2, 18):
        ours, theirs = (properties(nodes / f"{node}/properties") for nodes in (root / NODES, recorded / "nodes"))
        assert [ours[name] for name in (*told, "unique_id", "num_xcc")] == [
            theirs[name] for name in (*told, "unique_id", "num_xcc")
        ]


def test_links_and_banks_are_as_recorded(root: Path, recorded: Path, tmp_path: Path) -> None:
    link = "2/io_links/0/properties"
    assert list(properties(root / NODES / link)) == list(properties(recorded / "nodes" / link))
    bank = "2/mem_banks/0/properties"
    with_banks = unpack("topo-mi308-nodes.tar.gz", tmp_path) / "topology/nodes"
    assert list(properties(root / NODES / bank)) == list(properties(with_banks / bank))


def test_every_node_has_the_links_it_counts_and_one_to_each_other(root: Path) -> None:
    for node in sorted((root / NODES).iterdir()):
        own = properties(node / "properties")
        peers = {
            kind: [properties(path)["node_to"] for path in node.glob(f"{kind}/*/properties")]
            for kind in ("io_links", "p2p_links")
        }
        assert (len(peers["io_links"]), len(peers["p2p_links"])) == (own["io_links_count"], own["p2p_links_count"])
        assert sorted(peers["io_links"] + peers["p2p_links"]) == [n for n in range(18) if n != int(node.name)]


def test_a_device_tells_its_modes_as_the_kernel_words_them(root: Path) -> None:
    files = {path.name: path.read_text() for path in (root / DEVICE).iterdir() if path.is_file()}
    assert files["current_compute_partition"] == "CPX\n"
    assert files["available_compute_partition"] == "QPX, CPX\n"
    assert files["current_memory_partition"] == "NPS4\n"
    assert files["available_memory_partition"] == "NPS1, NPS2, NPS4\n"
    assert (root / DEVICE / "compute_partition_config/supported_xcp_configs").read_text() == "SPX, DPX, QPX, CPX\n"
    assert (root / DEVICE / "compute_partition_config/supported_nps_configs").read_text() == "NPS1, NPS4\n"
    assert (root / DEVICE / "ras/umc_err_count").read_text() == "ue: 0\nce: 0\nde: 0\n"
    assert files["unique_id"] == f"{16404946649897475633:016x}\n"


def test_devices_are_where_amds_device_plugin_looks(root: Path) -> None:
    linked = sorted((root / "module/amdgpu/drivers/pci:amdgpu").iterdir())
    assert [path.name for path in linked] == ["0000:05:00.0", "0000:27:00.0"]
    assert (linked[0] / "drm/renderD128").is_dir()
    platform = sorted(path.name for path in (root / "devices/platform").glob("amdgpu_xcp_*/drm/renderD*"))
    assert platform == [f"renderD{minor}" for minor in range(129, 144) if minor != 136]


def test_a_process_has_a_file_for_each_partition_it_may_use(root: Path) -> None:
    (process,) = (root / "class/kfd/kfd/proc").iterdir()
    opened = {path.name for path in process.glob("vram_*")}
    ids = {(root / NODES / f"{node}/gpu_id").read_text().strip() for node in range(2, 10)}
    assert opened == {f"vram_{number}" for number in ids}


def test_a_product_that_cannot_be_divided_has_no_files_about_modes(tmp_path: Path) -> None:
    write_tree(tmp_path, simulated("SPX/NPS1", "MI210").node())
    assert not list((tmp_path / DEVICE).glob("*partition*"))
    assert (tmp_path / DEVICE / "product_name").read_text() == "AMD Instinct MI210\n"


def test_what_was_there_before_is_gone_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    write_tree(tmp_path, simulated("CPX/NPS4").node())
    write_tree(tmp_path, simulated("SPX/NPS1", gpus=1).node())
    assert sorted(path.name for path in (tmp_path / NODES).iterdir()) == ["0", "1", "2"]
    assert not (tmp_path / "devices").exists()
    assert (tmp_path / "kept").exists()


def link(path: Path) -> dict[str, int]:
    told = properties(path)
    ids = ("node_from", "node_to", "recommended_sdma_engine_id_mask")
    return {name: value for name, value in told.items() if name not in ids}


def test_links_between_gpus_are_those_of_the_recorded_host(root: Path, recorded: Path) -> None:
    """Node 2 is the first partition: to its socket, the next partition of its GPU and the first of the next GPU."""
    want = {properties(path)["node_to"]: link(path) for path in (recorded / "nodes/2/io_links").glob("*/properties")}
    found = {properties(path)["node_to"]: link(path) for path in (root / NODES / "2/io_links").glob("*/properties")}
    assert found == {node: want[node] for node in found}
    assert [found[node]["weight"] for node in (0, 3, 10)] == [20, 13, 41]


@pytest.mark.parametrize(("product", "want"), [("MI300X", {0}), ("MI210", {0, 1})])
def test_xgmi_links_what_the_hives_of_the_product_say(product: str, want: set[int], tmp_path: Path) -> None:
    write_tree(tmp_path, simulated("SPX/NPS1", product, gpus=8).node())
    gpus = read_topology(tmp_path).gpus
    assert {gpu.hive for gpu in gpus} == want
    linked = {properties(path)["node_to"] for path in (tmp_path / NODES / "2/io_links").glob("*/properties")}
    assert linked == {0} | {part.node for gpu in gpus[1:] if gpu.hive == 0 for part in gpu.partitions}
