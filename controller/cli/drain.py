"""``aim-gpu drain``: get a node's models off it, after a look at where their successors go."""

from typing import Annotated

import typer

from api.group import OPERATOR_NAMESPACE
from controller.cli.cluster_options import Context, Kubeconfig, SystemNamespace, Yes
from controller.cli.given_names import object_name
from controller.cli.output import Form, Output


def drain(
    node: Annotated[str, typer.Argument(help="Name of the node.", show_default=False, callback=object_name)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would become of its pods.")] = False,
    let_wait: Annotated[
        bool, typer.Option("--let-wait", help="Evict also pods whose successors would wait for a place.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Evict also pods that no controller makes anew.")] = False,
    limit: Annotated[float, typer.Option(min=1.0, help="Seconds that all of it may take.")] = 600.0,
    yes: Yes = False,
    system_namespace: SystemNamespace = OPERATOR_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Form = Output.TABLE,
) -> None:
    """Cordon a node and evict the pods that hold its GPU partitions, within their disruption budgets.

    First it shows which of them find a place elsewhere, by what `plan --cluster` decides by, and asks. It can be run
    again, and goes on where it ended. Pods without a partition stay: kubectl drain takes them.
    """
    from controller.cli.draining import DrainOptions, drain_node  # help does without what decides

    asked = DrainOptions(node, system_namespace, limit, dry_run=dry_run, let_wait=let_wait, force=force, yes=yes)
    drain_node(kubeconfig, context, asked, output)
