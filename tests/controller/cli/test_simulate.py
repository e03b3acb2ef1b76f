import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from controller.cli.simulate import simulate

app = typer.Typer()
app.command()(simulate)

NODES = "sn,cpu_milli,memory_mib,gpu,model\n" + "".join(f"node-{n},64000,262144,8,G2\n" for n in range(4))
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\n" + "".join(f"p{n},4000,1024,1,500\n" for n in range(9))


@pytest.fixture
def trace(tmp_path: Path) -> list[str]:
    (tmp_path / "nodes.csv").write_text(NODES)
    (tmp_path / "pods.csv").write_text(PODS)
    return ["--nodes", str(tmp_path / "nodes.csv"), "--pods", str(tmp_path / "pods.csv")]


@pytest.mark.parametrize("scorer", ["default", "fgd", "bestfit", "random"])
@pytest.mark.parametrize("ties", ["first", "random"])
def test_json_has_every_field_and_no_other(trace: list[str], scorer: str, ties: str) -> None:
    result = CliRunner().invoke(app, [*trace, "--scorer", scorer, "--ties", ties, "--seeds", "42-43", "-o", "json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found.pop("placements_per_second") > 0
    full = {"mean": 100.0, "per_seed": [100.0, 100.0]}
    assert found == {"scorer": scorer, "ties": ties, "allocation_percent": {"100": full, "130": full}}


def test_partitions_are_counted_as_large_as_they_are(trace: list[str], tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1000,1,1,300\n")
    shares, modes = (
        json.loads(CliRunner().invoke(app, [*trace, "--seeds", "1", "-o", "json", *more]).stdout)["allocation_percent"][
            "130"
        ]["mean"]
        for more in ([], ["--amd-modes"])
    )
    assert (shares, modes) == (90.0, 100.0)


def test_people_get_a_table(trace: list[str]) -> None:
    result = CliRunner().invoke(app, [*trace, "--seeds", "7"])
    assert "100.00 %" in result.stdout


@pytest.mark.parametrize(
    ("options", "want_text"),
    [
        pytest.param(["--seeds", "51-42"], "--seeds is '51-42'", id="a range that goes down"),
        pytest.param(["--seeds", "x"], "--seeds is 'x'", id="no number"),
        pytest.param(["--seeds", "0-99999"], "10000 seeds at most", id="more seeds than anybody waits for"),
        pytest.param(["--nodes", "/nowhere.csv"], "/nowhere.csv: No such file", id="no file"),
        pytest.param(["--nodes", "/"], "give a file that can be read", id="a folder"),
    ],
)
def test_bad_input_is_named_and_ends_with_2(trace: list[str], options: list[str], want_text: str) -> None:
    result = CliRunner().invoke(app, [*trace, *options])
    assert result.exit_code == 2
    assert want_text in result.stderr


def test_a_file_that_is_no_trace_is_named_with_its_option(trace: list[str], tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in CliRunner().invoke(app, trace).stderr
    (tmp_path / "pods.csv").write_text("a,b\n1,2\n")
    result = CliRunner().invoke(app, trace)
    assert result.exit_code == 2
    assert "error: --pods: " in result.stderr


def test_more_arrivals_than_anybody_waits_for_are_refused(trace: list[str], tmp_path: Path) -> None:
    many = "".join(f"node-{n},64000,262144,8,G2\n" for n in range(400))
    (tmp_path / "nodes.csv").write_text("sn,cpu_milli,memory_mib,gpu,model\n" + many)
    (tmp_path / "pods.csv").write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1,1,1,1\n")
    result = CliRunner().invoke(app, trace)
    assert result.exit_code == 2
    assert "some 4,160,000 pods would arrive" in result.stderr
