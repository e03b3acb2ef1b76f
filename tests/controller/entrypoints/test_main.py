"""The command imports what is asked for, and knows every verb."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from controller.entrypoints.main import AT_ONCE, VERBS, command_line

HEAVY = ("controller.placement", "controller.cli.plan")


@pytest.mark.parametrize("verb", [*VERBS, *AT_ONCE])
def test_every_verb_has_help(verb: str) -> None:
    told = CliRunner().invoke(command_line(verb), [verb, "--help"])
    assert (told.exit_code, verb in told.output) == (0, True)


def test_help_lists_all() -> None:
    told = CliRunner().invoke(command_line("--help"), ["--help"])
    assert {*VERBS, *AT_ONCE} <= set(told.output.split())


def test_a_misspelt_verb_is_told_the_nearest() -> None:
    told = CliRunner().invoke(command_line("siz"), ["siz"])
    assert told.exit_code == 2
    assert "size" in told.output


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
