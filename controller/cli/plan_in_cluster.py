"""``aim-gpu plan --cluster``: what would become of files in the cluster as it is, by what the operator decides with."""

from dataclasses import replace
from pathlib import Path

import typer

from controller.cli import live_plan_view
from controller.cli.cluster import Cluster
from controller.cli.live_cluster import read_classes, read_cluster, with_budgets
from controller.cli.live_plan import LivePlan, plan_live
from controller.cli.live_rights import NotReadable
from controller.cli.live_scheduler import scheduler_of
from controller.cli.output import Output, failed, note, page_width, print_document
from controller.cli.priorities import unknown
from controller.cli.wanted import Wanted
from controller.runtime.client.client import Client
from controller.translate.share_group import group_of


def plan_in_cluster(
    wanted: Wanted, kubeconfig: Path | None, context: str | None, system_namespace: str, output: Output
) -> None:
    """Read the cluster, decide on a copy of it, and show what would come, leave, change and wait."""
    cluster = Cluster(kubeconfig, context, "plan on the cluster")
    members = [workload for workload in wanted.workloads if group_of(workload.pod) is not None]
    for workload in members:
        note(f"{workload.key} is of a share group, for which --cluster says nothing yet: skipped")
    alone = replace(wanted, workloads=tuple(each for each in wanted.workloads if each not in members))

    async def planned(client: Client) -> LivePlan:
        live = await with_budgets(client, await read_cluster(client, system_namespace))
        live = replace(live, classes=await read_classes(client))
        for text in (*live.assumed, *unknown(alone.workloads, {**live.classes, **alone.classes})):
            note(text)
        return plan_live(live, alone, scheduler_of(live.cluster))

    try:
        found = cluster.ask(planned)
    except NotReadable as error:
        raise failed(
            f"cannot plan on the cluster: {error}; ask an administrator of the cluster for the right"
        ) from error
    if output.for_programs:
        print_document(live_plan_view.document(found), output)
        return
    typer.echo(live_plan_view.page(found, page_width(output)), nl=False)
    note(live_plan_view.summary(found))
