"""``aim-gpu plan``: what would become of these files, on nodes on paper or in the cluster as it is; changes nothing."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from controller.agent.heartbeat import SYSTEM_NAMESPACE
from controller.cli import live_plan_view
from controller.cli.cluster import Cluster, Context, Kubeconfig
from controller.cli.documents import BadInput, parse_yaml, read_documents, read_text
from controller.cli.live_cluster import NotReadable, SystemNamespace, read_budgets, read_classes, read_cluster
from controller.cli.live_plan import LivePlan, plan_live
from controller.cli.offline_nodes import default_nodes, parse_nodes
from controller.cli.offline_plan import expect
from controller.cli.offline_plan_view import document, summary, table
from controller.cli.output import NOT_A_TERMINAL, Output, failed, note, print_json, print_table, refuse
from controller.cli.priorities import unknown
from controller.cli.wanted import Wanted, gather
from controller.placement.scheduler import ModelScheduler
from controller.runtime.client.client import Client
from controller.sizing.catalog import Catalog
from controller.state.expected import known_claims
from controller.state.models import Models
from controller.translate.share_group import group_of


def plan(
    files: Annotated[
        list[Path],
        typer.Option("--files", "-f", help="YAML files, or directories of them. Repeatable.", show_default=False),
    ],
    nodes: Annotated[
        Path | None,
        typer.Option(help="YAML with nodes: [{name, product, gpus, mode}]. Default: 3 nodes of 8 MI300X."),
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="On the cluster as it is; also with --kubeconfig or --context.")
    ] = False,
    system_namespace: SystemNamespace = SYSTEM_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="table for people, json for programs.")
    ] = Output.TABLE,
) -> None:
    """Show where each service would go, which modes would change for it, and what would wait and why.

    On empty nodes on paper (--nodes), without a cluster; or with --cluster on a copy of a real one: like a diff, + what
    comes, - what leaves, ~ what changes or moves, ! what would wait. Nothing is changed.
    """
    live = cluster or kubeconfig is not None or context is not None
    if live and nodes is not None:
        refuse(f"--nodes: {str(nodes)!r} is on paper, and --cluster, --kubeconfig and --context are not; leave one out")
    try:
        wanted = gather(read_documents(files))
    except BadInput as error:
        refuse(str(error))
    for text in wanted.notes:
        note(text)
    if not wanted.workloads:
        note("nothing here asks for a GPU partition: give InferenceServices, or annotate pod templates")
    if live:
        _in_cluster(wanted, Cluster(kubeconfig, context, "plan on the cluster"), system_namespace, output)
    else:
        _on_paper(wanted, nodes, output)


def _on_paper(wanted: Wanted, nodes: Path | None, output: Output) -> None:
    try:
        chosen = default_nodes() if nodes is None else parse_nodes(nodes, parse_yaml(nodes, read_text(nodes)))
    except BadInput as error:
        refuse(str(error))
    if nodes is None:
        note(f"no --nodes given, taken are {', '.join(map(str, chosen))}")
    for text in unknown(wanted.workloads, wanted.classes):
        note(text)
    expected = expect(wanted, chosen, Models(Catalog.bundled(), wanted.profiles))
    if output is Output.JSON:
        print_json(document(expected, chosen))
    else:
        print_table(table(expected))
        note(summary(expected))


def _in_cluster(wanted: Wanted, cluster: Cluster, system_namespace: str, output: Output) -> None:
    members = [workload for workload in wanted.workloads if group_of(workload.pod) is not None]
    for workload in members:
        note(f"{workload.key} is of a share group, for which --cluster says nothing yet: skipped")
    alone = replace(wanted, workloads=tuple(each for each in wanted.workloads if each not in members))

    async def planned(client: Client) -> LivePlan:
        live, budgets = await read_cluster(client, system_namespace), await read_budgets(client)
        live = replace(live, classes=await read_classes(client), budgets=budgets or ())
        if budgets is None:
            note("you may not list poddisruptionbudgets: pods are shown to leave that one may keep")
        for text in unknown(alone.workloads, {**live.classes, **alone.classes}):
            note(text)
        scheduler = ModelScheduler.by_policy()
        # as an operator would that began at this moment
        scheduler.expect(known_claims(live.cluster.claim_table, live.cluster.pod_table))
        return plan_live(live, alone, scheduler)

    try:
        found = cluster.ask(planned)
    except NotReadable as error:
        raise failed(
            f"cannot plan on the cluster: {error}; ask an administrator of the cluster for the right"
        ) from error
    if output is Output.JSON:
        print_json(live_plan_view.document(found))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else NOT_A_TERMINAL
    typer.echo(live_plan_view.page(found, width), nl=False)
    note(live_plan_view.summary(found))
