import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from controller.cli.inventory import inventory
from tests.builders.kfd_recording import unpack

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
        "partitions": [
            {"id": index, "render_minor": 136 + index, "vram_bytes": None, "compute_units": 38} for index in range(8)
        ],
    }


def test_a_missing_partition_is_said_on_stderr_only(recording: Path) -> None:
    result = CliRunner().invoke(app, ["--sysfs-root", str(recording), "-o", "json"])
    assert "GPU 0000:e5:00.0 shows 7 of 8 partitions of CPX" in result.stderr
    assert "7 of 8" not in result.stdout


def test_the_table_has_a_line_a_partition(recording: Path) -> None:
    result = CliRunner().invoke(app, ["--sysfs-root", str(recording)])
    assert result.exit_code == 0
    assert result.stdout.count("renderD") == 63


def test_a_place_without_gpus_ends_with_2_and_a_remedy(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--sysfs-root", str(tmp_path), "-o", "json"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert str(tmp_path) in result.stderr
    assert "amdgpu driver" in result.stderr
