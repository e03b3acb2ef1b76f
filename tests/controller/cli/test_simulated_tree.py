import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from controller.cli.inventory import inventory

app = typer.Typer()
app.command()(inventory)


def test_a_simulated_node_is_written_and_read_back(tmp_path: Path) -> None:
    where = tmp_path / "sim"
    simulated = ("--simulate", "MI308X=CPX/NPS4", "--gpus", "2", "--write-tree", str(where), "-o", "json")
    written = CliRunner().invoke(app, simulated)
    assert (written.exit_code, written.stderr) == (0, "")
    gpus = json.loads(written.stdout)["gpus"]
    assert [(gpu["product"], gpu["compute_mode"], gpu["memory_mode"], len(gpu["partitions"])) for gpu in gpus] == [
        ("MI308X", "CPX", "NPS4", 4)
    ] * 2
    read = CliRunner().invoke(app, ["--sysfs-root", str(where), "-o", "json"])
    assert (read.exit_code, read.stdout, read.stderr) == (0, written.stdout, "")


def test_a_tree_of_many_partitions_is_whole_with_its_links(tmp_path: Path) -> None:
    written = CliRunner().invoke(app, ["--simulate", "MI300X=CPX/NPS4", "--gpus", "2", "--write-tree", str(tmp_path)])
    assert (written.exit_code, written.stdout.count("renderD"), written.stderr) == (0, 16, "")
    assert len(list(tmp_path.glob("class/kfd/kfd/topology/nodes/17/io_links/*/properties"))) == 16


TREE = ("--write-tree", "{tree}")


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param(("--simulate", "MI300X", *TREE), "--simulate 'MI300X': write PRODUCT=MODE", id="no mode"),
        pytest.param(("--simulate", "MI1=SPX/NPS1", *TREE), "--simulate 'MI1=SPX/NPS1': ", id="no such product"),
        pytest.param(("--simulate", "MI300A=QPX/NPS1", *TREE), "--simulate 'MI300A=QPX/NPS1': ", id="no such mode"),
        pytest.param(("--simulate", "MI300X=cpx", *TREE), "is not a partition mode", id="misspelt"),
        pytest.param(("--simulate", "MI300X=SPX/NPS1"), "--simulate: give --simulate PRODUCT=MODE and", id="no folder"),
        pytest.param(TREE, "--write-tree: give --simulate PRODUCT=MODE and", id="nothing to write"),
        pytest.param(
            ("--simulate", "MI300X=SPX/NPS1", *TREE, "--backend", "amdsmi"), "leave --sysfs-root and", id="AMD SMI"
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused_and_nothing_written(
    tmp_path: Path, arguments: tuple[str, ...], want: str
) -> None:
    tree = tmp_path / "tree"
    result = CliRunner().invoke(app, [word.format(tree=tree) for word in arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert want in result.stderr
    assert not tree.exists()


@pytest.mark.parametrize("name", [".", "file"])
def test_other_files_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "file").write_text("mine")
    result = CliRunner().invoke(app, ["--simulate", "MI300X=SPX/NPS1", "--write-tree", str(tmp_path / name)])
    assert result.exit_code == 2
    assert "--write-tree" in result.stderr
    assert ((tmp_path / "file").read_text(), list((tmp_path / "class").iterdir())) == ("mine", [])
