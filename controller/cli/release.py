"""``aim-gpu release``: before the operator goes for good, give back what only it could give back."""

from typing import Annotated

import typer

from api.group import OPERATOR_NAMESPACE
from controller.cli.cluster import Cluster, confirm
from controller.cli.cluster_options import Context, Kubeconfig, SystemNamespace, Yes
from controller.cli.output import Form, Output, failed, looked_only, note, print_document, refuse
from controller.cli.release_steps import GatedPods, Release
from controller.runtime.client.client import Client
from controller.runtime.clock import RealClock


def release(
    everything: Annotated[bool, typer.Option("--all", help="Everything, in all namespaces; must be given.")] = False,
    gated_pods: Annotated[
        GatedPods,
        typer.Option(
            help="Pods behind the gate: delete (those of a controller, which makes others, and those whose"
            " ResourceClaim nobody makes any more; the rest is ungated) or ungate (all; one whose ResourceClaim is not"
            " there waits for ever, and its line says so)."
        ),
    ] = GatedPods.DELETE,
    dry_run: Annotated[bool, typer.Option(help="Only show what would be done.")] = False,
    system_namespace: SystemNamespace = OPERATOR_NAMESPACE,
    leave_plans: Annotated[
        bool, typer.Option(help="Do not wait for changes of modes that are under way; they stay half done.")
    ] = False,
    limit: Annotated[float, typer.Option(min=1.0, help="Seconds that each wait may take.")] = 120.0,
    yes: Yes = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Form = Output.TABLE,
) -> None:
    """Lift the gates, the webhooks and the guards, so that nothing waits for an operator that is gone.

    Run it before the operator is uninstalled; the chart does. Models that run go on running. It can be run again.

    With -o json or yaml nobody is asked: without --yes it is shown alone, and the exit code is 3.
    """
    if not everything:
        refuse("--all is missing: it stops the operator and lifts every gate; --all --dry-run shows what would be done")
    cluster = Cluster(kubeconfig, context, "release the cluster")
    looks = dry_run or (output.for_programs and not yes)
    if not looks and not confirm("Stop the operator, and lift all gates, webhooks and guards?", yes=yes):
        raise failed("nothing was changed")
    lines: list[str] = []

    async def go(client: Client) -> None:
        async for line in Release(client, RealClock(), system_namespace, gated_pods, looks, limit, leave_plans).run():
            lines.append(line)
            typer.echo(f"{'would be: ' if looks else ''}{line}", err=output.for_programs)

    try:
        cluster.ask(go)
    except TimeoutError as error:
        raise failed(f"{error}; what was done is done: run it again") from error
    if not lines:
        note("nothing is left to release")
    if not output.for_programs:
        return
    document = {"steps": lines, "done": not looks}
    if looks and not dry_run:
        raise looked_only(document, output)
    print_document(document, output)
