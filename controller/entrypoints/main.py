"""The command `aim-gpu`: every verb, and the processes. Only what is asked for is imported."""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

import typer

VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "size": "controller.cli.size",
        "inventory": "controller.cli.inventory",
        "crds": "controller.cli.crds",
        "plan": "controller.cli.plan",
        "approve": "controller.cli.approve",
        "rollback": "controller.cli.rollback",
        "agent": "controller.entrypoints.agent_command",
        "operator": "controller.entrypoints.operator_command",
    }
)
"""Each verb and the module that has a function of its name."""


def command_line(first: str = "") -> typer.Typer:
    """The command with the verb `first` alone, with all of them when that is no verb.

    An agent needs nothing of the planner: without its modules it starts sooner and holds 5 MB less.
    """
    app = typer.Typer(name="aim-gpu", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

    @app.callback()
    def _verbs() -> None:
        """Share AMD Instinct GPUs among inference models."""

    for verb in [first] if first in VERBS else VERBS:
        app.command(name=verb)(getattr(import_module(VERBS[verb]), verb))
    return app


def main() -> None:
    """The console script."""
    command_line(next(iter(sys.argv[1:]), ""))()
