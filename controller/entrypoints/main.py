"""The command `aim-gpu`: every verb, and the processes."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.crds import crds
from controller.cli.inventory import inventory
from controller.cli.output import refuse
from controller.cli.plan import plan
from controller.cli.size import size
from controller.entrypoints.operator_options import OperatorOptions
from controller.entrypoints.run_agent import agent
from controller.runtime.client.configuration import ConfigurationError
from controller.telemetry.logs import configure_logs

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
app.command()(agent)


@app.command()
def operator(
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; inside a cluster leave it out.")] = None,
    system_namespace: Annotated[str, typer.Option(help="Namespace of the agents' Leases.")] = "aim-gpu-system",
    bind_host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    webhook_port: Annotated[int, typer.Option(help="Port of the webhook; 0 takes a free one.")] = 9443,
    webhook_host: Annotated[
        str | None, typer.Option(help="Host by which the API server reaches a webhook outside the cluster.")
    ] = None,
    metrics_port: Annotated[int, typer.Option(help="Port of health and metrics; 0 takes a free one.")] = 8080,
    ports_file: Annotated[Path | None, typer.Option(help="File to write the ports to, as JSON.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Claims reconciled at once.")] = 16,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the operator until it is told to end."""
    from controller.entrypoints.run_operator import run_operator

    configure_logs(log_level)
    options = OperatorOptions(
        kubeconfig=kubeconfig,
        system_namespace=system_namespace,
        bind_host=bind_host,
        webhook_port=webhook_port,
        webhook_url_host=webhook_host,
        metrics_port=metrics_port,
        ports_file=ports_file,
        workers=workers,
    )
    _run(run_operator(options))


def _run(main: Coroutine[object, object, None]) -> None:
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
    except ConfigurationError as error:
        refuse(str(error))


def main() -> None:
    """The console script."""
    app()
