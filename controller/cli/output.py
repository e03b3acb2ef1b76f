"""How a command answers: a table, JSON or YAML on stdout, everything else on stderr."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import orjson
import typer

from controller.cli.box_table import Row, box_table, write_box
from controller.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from rich.table import Table

NOT_A_TERMINAL: Final = 160
"""Width of what goes to a file or another program, characters."""
UNBOUNDED: Final = 100_000
"""Width of what is not to be folded at all, characters."""


class Output(StrEnum):
    """The forms an answer can take."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"

    @property
    def for_programs(self) -> bool:
        """Whether a program reads it: then nobody is asked anything."""
        return self in (Output.JSON, Output.YAML)


Form = Annotated[
    Output,
    typer.Option("--output", "-o", help="table for people; wide: nothing folded, and more of it; json or yaml."),
]


def print_document(document: Mapping[str, Any], output: Output) -> None:
    """Write one document for programs to stdout, as JSON or YAML."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    if output is Output.YAML:
        from controller.cli.yaml_text import as_yaml  # by those who ask for it

        typer.echo(as_yaml(orjson.loads(text)), nl=False)
    else:
        typer.echo(text)


def page_width(output: Output) -> int:
    """How wide lines for people may be, characters."""
    if output is Output.WIDE:
        return UNBOUNDED
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else NOT_A_TERMINAL


def print_table(table: "Table", output: Output = Output.TABLE) -> None:
    """Write a table to stdout: as wide as the terminal, or as wide as needed when it is not one."""
    from rich.console import Console  # a quarter of a start, which answers for programs do without

    Console(width=page_width(output)).print(table)


def print_rows(header: Row, rows: Sequence[Row], output: Output = Output.TABLE) -> None:
    """Write a table to stdout: no wider than the terminal, as wide as needed when it is not one."""
    write_box(box_table(header, rows, page_width(output)))


def note(message: str) -> None:
    """Say something beside the answer, on stderr."""
    typer.echo(message, err=True)


def refuse(message: str) -> NoReturn:
    """Say on stderr why the input cannot be used, and end with exit code 2."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(ExitCode.BAD_INPUT)


def failed(message: str) -> typer.Exit:
    """Say on stderr why it could not be done; raise what comes back, which ends the command with exit code 1."""
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(ExitCode.FAILED)


def looked_only(document: Mapping[str, Any], output: Output) -> typer.Exit:
    """Show a program what would be done; raise what comes back, which ends the command with exit code 3."""
    print_document(document, output)
    note(f"nothing was done: -o {output} without --yes shows what would be; give --yes as well to have it done")
    return typer.Exit(ExitCode.LOOKED_ONLY)


def mebibytes(size: int | None) -> str:
    """A size for people: ``24574 MiB``, or ``-`` when it is not known."""
    return "-" if size is None else f"{size / 2**20:.0f} MiB"
