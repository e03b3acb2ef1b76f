"""By what name the command goes, in which forms it answers, and when in colour."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from controller.cli import size
from controller.cli.program import program
from controller.entrypoints.main import command_line
from tests.controller.cli.terminal import Terminal

AIM_GPU = Path(sys.executable).with_name("aim-gpu")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|9[0-7])(?:;\d+)*m")


@pytest.mark.parametrize(
    ("called", "want"),
    [
        ("/usr/bin/aim-gpu", "aim-gpu"),
        ("/usr/bin/kubectl-aim", "kubectl aim"),
        ("kubectl-aim.exe", "kubectl aim"),
        ("-c", "aim-gpu"),
    ],
)
def test_it_goes_by_the_name_that_it_was_called_by(called: str, want: str) -> None:
    assert program(called) == want


@pytest.mark.parametrize(
    "line",
    [
        "inventory --sysfs-root tree",
        "profiles list --gpu MI210",
        "plan -f examples/team-code.yaml",
    ],
)
def test_json_and_yaml_say_the_same(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(Path(__file__).parents[3] / "examples")
    monkeypatch.chdir(tmp_path)
    verb, *arguments = line.split()
    made = ["inventory", "--simulate", "MI300X=CPX/NPS4", "--gpus", "1", "--write-tree", "tree"]
    assert CliRunner().invoke(command_line("inventory"), made).exit_code == 0
    told = {
        form: CliRunner().invoke(command_line(verb), [verb, *arguments, "-o", form]).stdout for form in ("json", "yaml")
    }
    assert yaml.safe_load(told["yaml"]) == json.loads(told["json"])
    assert told["yaml"][:1] != "{"


def test_size_says_the_same_too(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for form in ("json", "yaml"):
        assert size.run(["Qwen/Qwen3-4B", "--gpu", "MI300X", "-o", form]) == 0
        told.append(capsys.readouterr().out)
    assert yaml.safe_load(told[1]) == json.loads(told[0])


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["colour", "NO_COLOR"]
)
def test_colours_are_for_terminals_whose_owner_wants_them(environment: dict[str, str], coloured: bool) -> None:
    terminal = Terminal(AIM_GPU, "profiles", "list", "--gpu", "MI300X", environment=environment)
    try:
        terminal.wait_for("WEIGHTS")  # the table, after a bar
        assert bool(COLOUR.search(terminal.shown)) is coloured
    finally:
        terminal.end()
