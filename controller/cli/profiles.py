"""``aim-gpu profiles``: AIM profiles of models on GPU partitions, as files, as a list, or of one model."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.commands import Commands
from controller.cli.output import Form, Output

profiles = typer.Typer(
    cls=Commands,
    help="AIM profiles of models on GPU partitions: calculated, not measured.",
    rich_markup_mode=None,
)

Gpus = Annotated[
    list[str] | None,
    typer.Option("--gpu", help="Only this product, such as MI300X. Repeatable. Default: all that the engine runs on."),
]


@profiles.command()
def generate(
    out: Annotated[Path, typer.Option(help="A directory: new, empty, or generated before and then replaced whole.")],
    gpu: Gpus = None,
    output: Form = Output.TABLE,
) -> None:
    """Write the profiles of all listed models, and index.json, which says what became of each."""
    from controller.cli.profiles_made import write_all  # help, here and below, does without sizing

    write_all(out, gpu, output)


@profiles.command(name="list")
def list_(gpu: Gpus = None, output: Form = Output.TABLE) -> None:
    """Show which listed models have profiles, on how little, and why the others have none."""
    from controller.cli.profiles_made import show_all

    show_all(gpu, output)


@profiles.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def show(context: typer.Context) -> None:
    """Print a model's profiles as YAML documents."""
    from controller.cli import profile_show

    raise typer.Exit(profile_show.run(context.args))
