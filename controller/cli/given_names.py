"""Names as they are given on the command line: what nothing can be called is bad input, before anybody is asked.

Callbacks of options and arguments; each raises typer.BadParameter, which ends the command with exit code 2.
"""

import typer

from controller.cli.names import is_namespace_name, is_object_name


def object_name(given: str) -> str:
    """The name of an object that has no namespace."""
    if not is_object_name(given):
        raise typer.BadParameter(
            f"{given!r} is no name: it has at most 253 lower-case letters, digits, dashes and dots, and begins and "
            "ends with a letter or digit"
        )
    return given


def object_names(given: list[str] | None) -> list[str] | None:
    """Names of such objects; None where none were given."""
    return given if given is None else [object_name(each) for each in given]


def namespace_name(given: str | None) -> str | None:
    """The name of a namespace; None where none was given."""
    if given is not None and not is_namespace_name(given):
        raise typer.BadParameter(
            f"{given!r} is no namespace: its name has at most 63 lower-case letters, digits and dashes, and begins and "
            "ends with a letter or digit"
        )
    return given
