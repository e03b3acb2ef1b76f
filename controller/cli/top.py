"""``aim-gpu top``: nodes, GPUs and partitions with who holds them, live on a terminal or once."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from controller.cli.cluster import Cluster
from controller.cli.cluster_options import Context, Kubeconfig
from controller.cli.exit_codes import ExitCode
from controller.cli.given_names import namespace_name, object_names
from controller.cli.namespaces import NoNamespace
from controller.cli.output import Form, Output, note, page_width, print_document, refuse
from controller.cli.top_fleet import Fleet, document
from controller.cli.top_read import Wanted, read_once
from controller.cli.top_uses import BadSource, parse_source
from controller.cli.top_view import Level, lines, summary, texts
from controller.runtime.client.client import Client
from controller.runtime.clock import RealClock


def top(
    nodes: Annotated[
        list[str] | None,
        typer.Argument(help="Only these nodes. Default: all.", show_default=False, callback=object_names),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Only owners of this namespace, for who may list no others.",
            callback=namespace_name,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end, also on a terminal.")] = False,
    by: Annotated[
        Level | None, typer.Option(help="What has a line of its own. Default: as much as there is room for.")
    ] = None,
    interval: Annotated[float, typer.Option(min=1.0, max=3600.0, help="Seconds between two looks, live.")] = 2.0,
    prometheus: Annotated[
        str | None,
        typer.Option(
            envvar="AIM_GPU_PROMETHEUS",
            help="What tells of use: a URL, or NAMESPACE/SERVICE[:PORT], reached through the API server.",
        ),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Form = Output.TABLE,
) -> None:
    """Show the fleet: nodes, their GPUs and partitions, memory asked for and used, who holds what, and health.

    Live on a terminal until Ctrl-C or SIGTERM, kept current by watches; once elsewhere, with --once, or for programs.
    What nobody tells is shown as -, in JSON as null: memory in use and busy shares come from a Prometheus alone.
    """
    try:
        source = parse_source(prometheus) if prometheus else None
    except BadSource as error:
        refuse(str(error))
    cluster = Cluster(kubeconfig, context, "show the fleet")
    wanted = Wanted(frozenset(nodes or ()), namespace, source)
    if once or output.for_programs or not sys.stdout.isatty() or os.environ.get("TERM") in (None, "dumb"):
        fleet = _once(cluster, wanted)
        if wanted.nodes and len(fleet.missing) == len(wanted.nodes):
            refuse(f"no GPUNode is called {', '.join(fleet.missing)}: kubectl get gpun lists them")
        _print(fleet, by or Level.PARTITION, output)
        if fleet.missing:
            raise typer.Exit(ExitCode.FAILED)
        return

    # by those who look on: they take as long to start as all the rest
    from controller.cli.top_screen import live
    from controller.cli.top_watch import Watched, watch

    async def go(client: Client) -> None:
        _end_as_by_ctrl_c()

        async def show(watched: Watched) -> None:
            await live(watched.now, RealClock(), interval, by, wide=output is Output.WIDE)

        await watch(client, wanted, show)

    try:
        cluster.ask(go)
    except NoNamespace as error:
        refuse(f"-n: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        return  # how it is ended


def _once(cluster: Cluster, wanted: Wanted) -> Fleet:
    try:
        return cluster.ask(lambda client: read_once(client, wanted))
    except NoNamespace as error:
        refuse(f"-n: {error}")


def _end_as_by_ctrl_c() -> None:
    """Let SIGTERM, too, end what runs here in such a way that the terminal is as it was."""
    if (looking := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, looking.cancel)


def _print(fleet: Fleet, level: Level, output: Output) -> None:
    if output.for_programs:
        print_document(document(fleet), output)
        return
    _tell(fleet.notes)
    found = lines(fleet, level)
    for line in texts(found, page_width(output), wide=output is Output.WIDE):
        typer.echo(line)
    note(summary(fleet))


def _tell(notes: Sequence[str]) -> None:
    for each in notes:
        note(each)
