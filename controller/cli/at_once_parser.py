"""The parser of verbs that start without typer: argparse's, with errors and help options as all other verbs have."""

import argparse
import sys
from typing import Any, NoReturn

from controller.cli.exit_codes import ExitCode
from controller.cli.program import program
from controller.cli.wrong_arguments import wrong_arguments


class AtOnceParser(argparse.ArgumentParser):
    """Of `verb`, as it is typed after the program's name."""

    def __init__(self, verb: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"{program()} {verb}", description=description, epilog=epilog, allow_abbrev=False, add_help=False
        )
        self.add_argument("-h", "--help", action="help", help="Show this message and exit.")

    def print_help(self, file: Any = None) -> None:
        """Write it to stdout; argparse itself would not tell that it cannot be written."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Say it on stderr and end with exit code 2."""
        sys.stderr.write(wrong_arguments(message, self.prog))
        sys.exit(ExitCode.BAD_INPUT)
