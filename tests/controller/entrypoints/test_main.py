"""The command imports what is asked for, and knows every verb."""

import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from controller.entrypoints.main import AT_ONCE, VERBS, command_line, overview
from controller.entrypoints.summaries import SUMMARIES

HEAVY = ("controller.placement", "controller.cli.plan")


@pytest.mark.parametrize("verb", [*VERBS, *AT_ONCE])
def test_every_verb_has_help(verb: str) -> None:
    told = CliRunner().invoke(command_line(verb), [verb, "--help"])
    assert (told.exit_code, verb in told.output) == (0, True)


def test_help_tells_of_every_verb_what_it_says_of_itself() -> None:
    whole = CliRunner().invoke(command_line(), ["--help"], env={"COLUMNS": "160"}).output
    told = CliRunner().invoke(overview(), ["--help"], env={"COLUMNS": "160"}).output
    assert sorted(told.splitlines()) == sorted(whole.splitlines())
    assert SUMMARIES.keys() == {*VERBS, *AT_ONCE}


@pytest.mark.parametrize("module", AT_ONCE.values())
def test_a_verb_that_answers_at_once_says_of_itself_what_help_does(module: str) -> None:
    verb = next(each for each, found in AT_ONCE.items() if found == module)
    assert import_module(module).parser().description.startswith(SUMMARIES[verb])


def test_a_misspelt_verb_is_told_the_nearest() -> None:
    told = CliRunner().invoke(overview(), ["siz"])
    assert told.exit_code == 2
    assert "size" in told.output


@pytest.mark.parametrize(
    ("arguments", "code", "want"),
    [
        (("--help",), 0, "profiles"),
        (("--version",), 0, f"aim-gpu {version('aim-gpu-sharing')}\n"),
        (("siz",), 2, "size"),
        (("--", "rocm", "--path", "/nowhere"), 1, "/nowhere"),
        (("--", "completion", "bash"), 0, "complete -F"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_the_program(arguments: tuple[str, ...], code: int, want: str) -> None:
    program = f"import sys; from controller.entrypoints.main import main; sys.argv = {['aim-gpu', *arguments]}; main()"
    told = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert told.returncode == code
    assert want in told.stdout + told.stderr


@pytest.mark.parametrize("verb", ["size", "top", "operator"])
def test_ctrl_c_while_a_verb_is_loaded_is_no_traceback(verb: str) -> None:
    program = (
        "import sys; from controller.entrypoints import main\n"
        "def interrupted(_): raise KeyboardInterrupt\n"
        f"main.import_module, sys.argv = interrupted, ['aim-gpu', {verb!r}]; main.main()"
    )
    told = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (130, "", "")


@pytest.mark.parametrize(("verb", "seldom"), [("rocm", True), ("agent", False)])
def test_garbage_of_processes_is_collected_as_ever(verb: str, seldom: bool) -> None:
    program = (
        "import gc, sys; from controller.entrypoints.main import main; before = gc.get_threshold()\n"
        f"sys.argv = ['aim-gpu', {verb!r}, '--help']\n"
        "try: main()\n"
        "finally: print(gc.get_threshold() != before, file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert told.stderr.split() == [str(seldom)]


def test_an_agent_imports_nothing_of_the_planner() -> None:
    program = (
        "import sys; from controller.entrypoints.main import command_line; command_line('agent'); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "controller.entrypoints.agent_command" in loaded
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        (["size", "Qwen/Qwen3-4B", "--gpu", "MI300X", "-o", "json"], '"model": "Qwen/Qwen3-4B"'),
        (["profiles", "show", "Qwen/Qwen3-4B", "--gpu", "MI210"], "model_id: Qwen/Qwen3-4B"),
    ],
    ids=["size", "profiles show"],
)
def test_what_answers_at_once_imports_neither_typer_nor_rich_nor_pydantic(arguments: list[str], want: str) -> None:
    program = (
        "import sys; from controller.entrypoints.main import main\n"
        f"sys.argv = ['aim-gpu', *{arguments}]\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert want in told.stdout
    assert not {"typer", "rich", "pydantic", "yaml", "asyncio"} & set(told.stderr.split())


def test_such_a_verb_takes_its_arguments_within_the_whole_command_as_well() -> None:
    told = CliRunner().invoke(command_line(), ["size", "Qwen/Qwen3-4B", "--gpu", "MI300X", "-o", "json"])
    assert (told.exit_code, '"product": "MI300X"' in told.stdout) == (0, True)
    assert CliRunner().invoke(command_line("size"), ["size", "no/model"]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        (["gateway", "--help"], "/authorities 700"),
        (["--", "gateway", "--help"], "/authorities 700"),
        (["approve", "gateway"], "/dev/null 500000"),
        (["--", "rocm", "--help"], "/dev/null 500000"),
    ],
    ids=["a process", "a process after --", "a command on what is named like one", "a command after --"],
)
def test_what_hastens_a_start_is_for_commands_alone(arguments: list[str], want: str) -> None:
    program = (
        "import gc, os, sys; from controller.entrypoints import main\n"
        "def seen(_): raise SystemExit(\n"
        "    ' '.join(map(str, [os.environ['SSL_CERT_FILE'], gc.get_threshold()[0]])))\n"
        f"main.command_line, sys.argv = seen, {['aim-gpu', *arguments]}; main.main()"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SSL_CERT_FILE": "/authorities"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.stderr.strip() == want
