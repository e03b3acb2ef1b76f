"""A verb's help is its docstring, with a line a paragraph."""

import pytest

from controller.cli.help_text import help_of
from controller.entrypoints.main import VERBS, command_line


def said() -> None:
    """Say it.

    In a paragraph that is as long
    as it takes.

    And one more.
    """


def nothing() -> None:
    pass


def test_lines_of_a_paragraph_are_joined() -> None:
    assert help_of(said) == "Say it.\n\nIn a paragraph that is as long as it takes.\n\nAnd one more."
    assert help_of(nothing) == ""


@pytest.mark.parametrize("verb", ["top", "drain", "diagnose", "explain", "ui"])
def test_no_verbs_help_breaks_lines_itself(verb: str) -> None:
    assert verb in VERBS
    (command,) = command_line(verb).registered_commands
    assert command.help
    assert not [part for part in command.help.split("\n\n") if "\n" in part]
