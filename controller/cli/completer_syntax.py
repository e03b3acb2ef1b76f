"""What verbs take, read from the parsers that take it: typer's, or argparse's of those that answer at once."""

import argparse
import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

from controller.cli.completer import Parameter, Syntax


def of_command(command: Any) -> Syntax:
    """The syntax of a command that typer made."""
    commands = {name: of_command(each) for name, each in getattr(command, "commands", {}).items()}
    types = get_type_hints(inspect.unwrap(command.callback)) if command.callback is not None else {}
    known = [each for each in command.params if each.name != "help"]
    return Syntax(tuple(_of_parameter(each, _class_of(types.get(each.name))) for each in known), commands)


def _class_of(annotation: Any) -> type:
    """The class of a value, without `None` and the list that it may stand in."""
    found = [each for each in get_args(annotation) if each is not type(None)]
    return _class_of(found[0]) if found else annotation if isinstance(annotation, type) else str


def _of_parameter(parameter: Any, sort: type) -> Parameter:
    option = parameter.param_type_name == "option"
    return Parameter(
        name=parameter.name,
        names=(*parameter.opts, *parameter.secondary_opts) if option else (),
        help=(getattr(parameter, "help", "") or "").partition(". ")[0].removesuffix("."),
        values=tuple(str(each.value) for each in sort) if issubclass(sort, Enum) else (),
        files=issubclass(sort, Path),
        flag=option and bool(parameter.is_flag),
        several=bool(parameter.multiple) or parameter.nargs == -1,
    )


def of_parser(parser: argparse.ArgumentParser) -> Syntax:
    """The syntax of a parser of argparse."""
    return Syntax(tuple(_of_actions(parser)))


def _of_actions(parser: argparse.ArgumentParser) -> Iterator[Parameter]:
    for action in parser._actions:  # noqa: SLF001 - argparse tells its arguments in no other way
        if action.dest != "help":
            yield Parameter(
                name=action.dest,
                names=tuple(action.option_strings),
                help=(action.help or "").partition(";")[0],
                values=tuple(map(str, action.choices or ())),
                files=action.type is Path,
                flag=action.nargs == 0,
                several=isinstance(action, argparse._AppendAction),  # noqa: SLF001 - the same
            )
