"""The command `aim-gpu`: every verb, and the processes."""

import typer

from controller.cli.approve import approve
from controller.cli.crds import crds
from controller.cli.inventory import inventory
from controller.cli.plan import plan
from controller.cli.rollback import rollback
from controller.cli.size import size
from controller.entrypoints.agent_command import agent
from controller.entrypoints.operator_command import operator

app = typer.Typer(
    name="aim-gpu",
    help="Share AMD Instinct GPUs among inference models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(size)
app.command()(inventory)
app.command(name="crds")(crds)
app.command()(plan)
app.command()(approve)
app.command()(rollback)
app.command()(agent)
app.command()(operator)


def main() -> None:
    """The console script."""
    app()
