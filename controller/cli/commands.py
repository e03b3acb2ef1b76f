"""Groups of commands as typer has them, but that arguments it cannot take are told as all other bad input is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from typer.core import TyperGroup

from controller.cli.exit_codes import ExitCode
from controller.cli.wrong_arguments import wrong_arguments

#: What typer raises for arguments of any kind; it gives the class no name of its own.
_Wrong: Final[Any] = typer.BadParameter.__mro__[1]


class Commands(TyperGroup):
    """A group of commands. Without a word after it, it shows its help on stderr and ends with exit code 2."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments of the group itself."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(ExitCode.BAD_INPUT)
        return super().parse_args(ctx, args)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """What the group's own arguments say."""
        with _told(lambda: f"{parent.command_path} {info_name}" if parent else str(info_name)):
            return super().make_context(info_name, args, parent=parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run what was asked for."""

        def asked_for() -> str:
            return f"{ctx.command_path} {ctx.invoked_subcommand or ''}".rstrip()

        with _told(asked_for):
            return super().invoke(ctx)


@contextmanager
def _told(command: Callable[[], str]) -> Iterator[None]:
    """`command`: whose arguments they are, where the error does not tell."""
    try:
        yield
    except _Wrong as error:
        # pydantic's word, which reads values for typer
        problem = error.format_message().replace("Value error, ", "")
        called = command() if error.ctx is None else error.ctx.command_path
        typer.echo(wrong_arguments(problem, called), err=True, nl=False)
        raise typer.Exit(ExitCode.BAD_INPUT) from None
