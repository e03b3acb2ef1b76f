"""How a command answers: a table or JSON on stdout, everything else on stderr."""

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.table import Table

FAILED = 1
"""Exit code for input that is fine and could not be carried out."""
BAD_INPUT = 2
"""Exit code for input that cannot be used, the same as the argument parser's own."""

LOOKED_ONLY = 3
"""Exit code of a command that showed what it would do and did nothing, as nobody said yes to it."""

NOT_A_TERMINAL = 160
"""Width of a table that goes to a file or another program, characters."""


class Output(StrEnum):
    """The forms an answer can take."""

    TABLE = "table"
    JSON = "json"


def print_json(document: Mapping[str, Any]) -> None:
    """Write one JSON document, indented, to stdout."""
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def print_table(table: Table) -> None:
    """Write a table to stdout: as wide as the terminal, or as wide as needed when it is not one."""
    width = None if sys.stdout.isatty() else NOT_A_TERMINAL
    Console(width=width).print(table)


def note(message: str) -> None:
    """Say something beside the answer, on stderr."""
    typer.echo(message, err=True)


def refuse(message: str) -> NoReturn:
    """Say on stderr why the input cannot be used, and end with exit code 2."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(BAD_INPUT)


def failed(message: str) -> typer.Exit:
    """Say on stderr why it could not be done; raise what comes back, which ends the command with exit code 1."""
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(FAILED)


def looked_only(document: Mapping[str, Any]) -> typer.Exit:
    """Show a program what would be done; raise what comes back, which ends the command with exit code 3."""
    print_json(document)
    note("nothing was done: -o json without --yes shows what would be; give --yes as well to have it done")
    return typer.Exit(LOOKED_ONLY)


def mebibytes(size: int | None) -> str:
    """A size for people: ``24574 MiB``, or ``-`` when it is not known."""
    return "-" if size is None else f"{size / 2**20:.0f} MiB"
