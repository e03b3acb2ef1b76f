"""The command `aim-gpu`: every verb, and the processes. Only what is asked for is imported."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import typer

VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "profiles": "controller.cli.profiles",
        "inventory": "controller.cli.inventory",
        "crds": "controller.cli.crds",
        "plan": "controller.cli.plan",
        "explain": "controller.cli.explain",
        "simulate": "controller.cli.simulate",
        "approve": "controller.cli.approve",
        "rollback": "controller.cli.rollback",
        "agent": "controller.entrypoints.agent_command",
        "gateway": "controller.entrypoints.gateway_command",
        "operator": "controller.entrypoints.operator_command",
    }
)
"""Each verb and the module that has a function of its name, or a group of commands."""

AT_ONCE: Final[Mapping[str, str]] = MappingProxyType({"size": "controller.cli.size"})
"""Verbs that take their own arguments, and the module whose `run` answers: they start without the packages the others
take theirs with, which need three times as long as the answer."""


AT_ONCE_IN_A_GROUP: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {("profiles", "show"): "controller.cli.profile_show"}
)
"""Commands of a group that are like that. The group passes on their arguments where it is asked itself."""


def command_line(first: str = "") -> "typer.Typer":
    """The command with the verb `first` alone, with all of them when that is no verb.

    An agent needs nothing of the planner: without its modules it starts sooner and holds 5 MB less.
    """
    import typer

    app = typer.Typer(name="aim-gpu", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

    @app.callback()
    def _verbs() -> None:
        """Share AMD Instinct GPUs among inference models."""

    everything = first not in VERBS and first not in AT_ONCE
    for verb, module in AT_ONCE.items():
        if everything or verb == first:
            as_given = {"ignore_unknown_options": True, "allow_extra_args": True}
            answer = _passed_on(import_module(module).run)
            app.command(name=verb, add_help_option=False, context_settings=as_given)(answer)
    for verb in VERBS if everything else VERBS.keys() & {first}:
        found = getattr(import_module(VERBS[verb]), verb)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=verb)
        else:
            app.command(name=verb)(found)
    return app


def _passed_on(run: Callable[[Sequence[str]], int]) -> "Callable[[typer.Context], None]":
    import typer

    def answer(context: typer.Context) -> None:
        """Show what a model needs, part by part, and the partitions that hold it."""
        raise typer.Exit(run(context.args))

    return answer


def main() -> None:
    """The console script."""
    first, second = (*sys.argv[1:3], "", "")[:2]
    if first in AT_ONCE:
        sys.exit(import_module(AT_ONCE[first]).run(sys.argv[2:]))
    if (first, second) in AT_ONCE_IN_A_GROUP:
        sys.exit(import_module(AT_ONCE_IN_A_GROUP[first, second]).run(sys.argv[3:]))
    command_line(first)()
