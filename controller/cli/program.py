"""By what name the person called: `aim-gpu`, or `kubectl aim` where kubectl runs it as its plugin; and its version."""

import sys
from pathlib import PurePath
from typing import Final

NAME: Final = "aim-gpu"
PLUGIN: Final = "kubectl-aim"
"""The program that kubectl starts for `kubectl aim`."""
COMPLETER: Final = "kubectl_complete-aim"
"""The program that kubectl asks for what could follow `kubectl aim`."""


def program(called: str | None = None) -> str:
    """The command as usage texts name it. `called`: the path of the program; None: of this process."""
    name = PurePath(sys.argv[0] if called is None else called).name.removesuffix(".exe")
    return "kubectl aim" if name == PLUGIN else NAME


def say_version(asked: bool) -> None:
    """Callback of an option: print the version and end, where it is asked for."""
    if asked:
        from importlib.metadata import version  # as much to load as a short answer

        import typer

        typer.echo(f"{program()} {version('aim-gpu-sharing')}")
        raise typer.Exit
