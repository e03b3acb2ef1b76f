"""The command imports what is asked for, and knows every verb."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from controller.entrypoints.main import VERBS, command_line

HEAVY = ("controller.placement", "controller.cli.plan")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    told = CliRunner().invoke(command_line(verb), [verb, "--help"])
    assert (told.exit_code, verb in told.output) == (0, True)


def test_help_lists_all() -> None:
    told = CliRunner().invoke(command_line("--help"), ["--help"])
    assert set(VERBS) <= set(told.output.split())


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
