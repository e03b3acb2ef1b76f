"""Wrong arguments are told in one way, whichever parser reads them, and every verb tells its help by both options."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from controller.entrypoints.main import AT_ONCE, VERBS, command_line

PROGRAM = "import sys; from controller.entrypoints.main import main; sys.argv[0] = 'aim-gpu'; main()"


@pytest.mark.parametrize(
    ("line", "problem", "verb"),
    [
        ("size", "give a model's id, --config FILE or --directory DIR", " size"),
        ("size --gpu", "argument --gpu: expected one argument", " size"),
        ("crds more", "unrecognized arguments: more", " crds"),
        (
            "completion tcsh",
            "argument shell: invalid choice: 'tcsh' (choose from 'bash', 'zsh', 'fish')",
            " completion",
        ),
        ("profiles show", "the following arguments are required: model", " profiles show"),
        ("profiles sho", "no such command 'sho'. Did you mean 'show'?", " profiles"),
        ("profiles list --gpu", "option '--gpu' requires an argument", " profiles list"),
        ("profiles --help=1", "option '--help' does not take a value", " profiles"),
        ("approve", "missing argument 'plan'", " approve"),
        ("plan -f", "option '-f' requires an argument", " plan"),
        ("plan -o xml", "invalid value for '--output' / '-o': 'xml' is not one of", " plan"),
        ("top --bye", "no such option: --bye", " top"),
        ("siz", "no such command 'siz'. Did you mean 'size'?", ""),
        ("--no-such", "no such option: --no-such", ""),
    ],
)
def test_wrong_arguments_are_told_alike(line: str, problem: str, verb: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, *line.split()], capture_output=True, text=True, timeout=100, check=False
    )
    assert (told.returncode, told.stdout) == (2, "")
    said, where = told.stderr.splitlines()
    assert said.startswith(f"error: {problem}")
    assert where == f"Try 'aim-gpu{verb} --help' for help."


@pytest.mark.parametrize("line", ["", "profiles"])
def test_a_group_alone_shows_its_help(line: str) -> None:
    told = CliRunner().invoke(command_line("profiles"), line.split())
    assert (told.exit_code, told.stdout) == (2, "")
    assert "Usage:" in told.stderr
    assert "profiles" in told.stderr


@pytest.mark.parametrize("line", [*VERBS, *AT_ONCE, "profiles list", "profiles show", "profiles generate"])
def test_every_verb_takes_both_options_of_help_and_tells_them(line: str) -> None:
    verb, *rest = line.split()
    short, long = (CliRunner().invoke(command_line(verb), [verb, *rest, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.stdout) == (0, long.stdout)
    assert " ".join(long.stdout.split()).count("-h, --help Show this message and exit.") == 1
