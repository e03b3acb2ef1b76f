import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import typer
from typer.testing import CliRunner

from controller.agent.amdsmi_library import AmdsmiUnavailable
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_faults import Fault, FaultScript, ScriptedFault
from controller.agent.simulated_seed import seeded_gpus
from controller.agent.simulated_tree import write_tree
from controller.cli.inventory import inventory
from controller.gpu.layout import slices
from controller.gpu.mode import Mode
from controller.gpu.product import PRODUCTS
from tests.builders.kfd_recording import unpack
from tests.fakes.clock import SkippingClock

app = typer.Typer()
app.command()(inventory)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack("topo-mi300-cpx.tar.gz", tmp_path_factory.mktemp("kfd"))


def test_json_has_every_field_and_no_other(recording: Path) -> None:
    result = CliRunner().invoke(app, ["--sysfs-root", str(recording), "-o", "json"])
    assert result.exit_code == 0
    gpus = json.loads(result.stdout)["gpus"]
    assert len(gpus) == 8
    assert gpus[1] == {
        "bdf": "0000:27:00.0",
        "product": "MI300X",
        "vram_bytes": None,
        "compute_mode": "CPX",
        "memory_mode": None,
        "xgmi_hive": 0,
        "partitions": [
            {"id": index, "render_minor": 136 + index, "vram_bytes": None, "compute_units": 38} for index in range(8)
        ],
    }


def test_a_missing_partition_is_said_on_stderr_only(recording: Path) -> None:
    result = CliRunner().invoke(app, ["--sysfs-root", str(recording), "-o", "json"])
    assert "GPU 0000:e5:00.0 shows 7 of 8 partitions of CPX" in result.stderr
    assert "63 of the node's 64 partitions are there: the driver makes 64 devices a host" in result.stderr
    assert "7 of 8" not in result.stdout


async def test_the_display_driver_is_suspected_only_where_63_of_64_are_there(tmp_path: Path) -> None:
    backend = simulated("CPX/NPS4", Fault.PARTITION_MISSING)
    await backend.read()
    write_tree(tmp_path, backend.node(), links=False)
    result = CliRunner().invoke(app, ["--sysfs-root", str(tmp_path)])
    assert result.exit_code == 0
    assert "GPU 0000:27:00.0 shows 7 of 8 partitions of CPX" in result.stderr
    assert "15 of the node's 16 partitions are there: reload the amdgpu driver" in result.stderr
    assert "`ast`" not in result.stderr


def test_the_table_has_a_line_a_partition(recording: Path) -> None:
    result = CliRunner().invoke(app, ["--sysfs-root", str(recording)])
    assert result.exit_code == 0
    assert result.stdout.count("renderD") == 63


ALL_MODES = [(name, str(mode)) for name, product in PRODUCTS.items() for mode in product.allowed]


def simulated(mode: str, *faults: Fault, product: str = "MI300X", gpus: int = 2) -> SimulatedBackend:
    script = FaultScript(tuple(ScriptedFault(fault) for fault in faults))
    shape = SimulatedShape(Mode.parse(mode), gpus=gpus, product=product, script=script)
    return SimulatedBackend(shape, SkippingClock(), held=frozenset, used=dict)


@pytest.mark.parametrize(("product", "mode"), ALL_MODES)
def test_every_product_in_every_mode_is_shown_in_every_field(tmp_path: Path, product: str, mode: str) -> None:
    write_tree(tmp_path, simulated(mode, product=product, gpus=1).node(), links=False)
    result = CliRunner().invoke(app, ["--sysfs-root", str(tmp_path), "-o", "json"])
    assert (result.exit_code, result.stderr) == (0, "")
    pieces = slices(PRODUCTS[product], Mode.parse(mode))
    compute, memory = mode.split("/")
    assert json.loads(result.stdout)["gpus"] == [
        {
            "bdf": seeded.bdf,
            "product": product,
            "vram_bytes": sum(piece.bytes for piece in pieces),
            "compute_mode": compute,
            # a product that cannot be divided has no files about modes
            "memory_mode": memory if PRODUCTS[product].partitionable else None,
            "xgmi_hive": None,  # it is alone
            "partitions": [
                {
                    "id": piece.index,
                    "render_minor": seeded.first_render_index + piece.index,
                    "vram_bytes": piece.bytes,
                    "compute_units": piece.compute_units,
                }
                for piece in pieces
            ],
        }
        for seeded in seeded_gpus(1, PRODUCTS[product])
    ]


def test_what_contradicts_itself_is_said(tmp_path: Path) -> None:
    write_tree(tmp_path, simulated("CPX/NPS4").node(), links=False)
    (tmp_path / "bus/pci/devices/0000:27:00.0/current_compute_partition").write_text("SPX\n")
    result = CliRunner().invoke(app, ["--sysfs-root", str(tmp_path), "-o", "json"])
    assert result.exit_code == 0
    assert "GPU 0000:27:00.0: its own files say SPX, and KFD shows 8 partitions of CPX" in result.stderr


def drop_last_node(nodes: Path) -> None:
    shutil.rmtree(nodes / "17")


def make_foreign(nodes: Path) -> None:
    for path in nodes.glob("*/properties"):
        path.write_text(path.read_text().replace("vendor_id 4098", "vendor_id 4318"))


def made_up(simd_count: int, files: str = "*") -> Callable[[Path], None]:
    def write(nodes: Path) -> None:
        for path in nodes.glob(f"{files}/properties"):
            path.write_text(path.read_text().replace("simd_count 152\n", f"simd_count {simd_count}\n"))

    return write


BAD_TREES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off in a file": (lambda nodes: (nodes / "9/properties").write_text("simd_count 1"), "9/properties: ends"),
    "without its end": (drop_last_node, "links to node 17, which is missing"),
    "without its middle": (lambda nodes: shutil.rmtree(nodes / "4"), "nodes 4 are missing"),
    "empty files": (lambda nodes: (nodes / "9/properties").write_text(""), "9/properties: is empty"),
    "another vendor's": (make_foreign, "vendor_id 0x10de"),
    "no properties at all": (lambda nodes: (nodes / "9/properties").write_text("GPU: yes\n"), "is not 'name number'"),
    "a number that none can be": (
        lambda nodes: (nodes / "9/properties").write_text(f"simd_count {'9' * 5000}\n"),
        "is not 'name number'",
    ),
    "more compute units than the product has": (made_up(608), "is 152 compute units, and 1 of the 8 dies of MI300X"),
    "a fraction of the product's compute units": (made_up(4), "is 1 compute units, and 1 of the 8 dies of MI300X"),
    "no whole compute units": (made_up(151), "simd_count 151 is no multiple of simd_per_cu 4"),
    "partitions of one GPU that differ": (made_up(148, "9"), "node 9: simd_count 148, and node 2 of the same GPU"),
    "one node far out": (lambda nodes: (nodes / "4000000000").mkdir(), "nodes 18 are missing"),
}


@pytest.mark.parametrize("damage", BAD_TREES)
def test_a_tree_that_cannot_be_believed_ends_with_2_and_says_why(tmp_path: Path, damage: str) -> None:
    write_tree(tmp_path, simulated("CPX/NPS4").node())
    break_it, want = BAD_TREES[damage]
    break_it(tmp_path / "class/kfd/kfd/topology/nodes")
    result = CliRunner().invoke(app, ["--sysfs-root", str(tmp_path), "-o", "json"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert want in result.stderr


class Opened(SimulatedBackend):
    """Stands for AMD SMI's backend: closed once it was read."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_amd_smi_is_asked_and_what_it_and_kfd_disagree_on_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    script = FaultScript((ScriptedFault(Fault.COUNTS_DIFFER), ScriptedFault(Fault.MODE_NOT_TOLD)))
    shape = SimulatedShape(Mode.parse("DPX/NPS2"), gpus=2, script=script)
    backend = Opened(shape, SkippingClock(), held=frozenset, used=dict)
    roots: list[Path] = []

    def opened(root: Path) -> Opened:
        roots.append(root)
        return backend

    monkeypatch.setattr("controller.agent.amdsmi_backend.open_amdsmi", opened)
    result = CliRunner().invoke(app, ["--backend", "amdsmi", "--sysfs-root", "/recorded", "-o", "json"])
    assert (result.exit_code, roots, backend.closed) == (0, [Path("/recorded")], True)
    assert "AMD SMI shows 2 partitions, KFD 1" in result.stderr
    first, last = json.loads(result.stdout)["gpus"]
    assert (first["compute_mode"], first["memory_mode"], last["compute_mode"]) == ("DPX", "NPS2", None)
    assert (first["xgmi_hive"], last["xgmi_hive"]) == (0, 0)
    assert first["partitions"][1] == {
        "id": 1,
        "render_minor": 129,
        "vram_bytes": 98296 << 20,
        "compute_units": 152,
    }


def test_without_amd_smis_library_it_ends_with_2_and_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_: Path) -> NoReturn:
        raise AmdsmiUnavailable("AMD SMI cannot be loaded: install it")

    monkeypatch.setattr("controller.agent.amdsmi_backend.open_amdsmi", unavailable)
    result = CliRunner().invoke(app, ["--backend", "amdsmi"])
    assert (result.exit_code, result.stderr) == (2, "error: AMD SMI cannot be loaded: install it\n")


def test_a_place_without_gpus_ends_with_2_and_a_remedy(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--sysfs-root", str(tmp_path), "-o", "json"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert str(tmp_path) in result.stderr
    assert "amdgpu driver" in result.stderr
