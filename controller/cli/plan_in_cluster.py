"""``aim-gpu plan --cluster``: what would become of files in the cluster as it is, by what the operator decides with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from controller.cli import live_plan_view
from controller.cli.cluster import Cluster
from controller.cli.counted import named
from controller.cli.live_cluster import read_classes, read_cluster, with_budgets
from controller.cli.live_plan import LivePlan, plan_live
from controller.cli.live_rights import NotReadable
from controller.cli.live_scheduler import scheduler_of
from controller.cli.output import Output, failed, note, page_width, print_document, refuse
from controller.cli.priorities import unknown
from controller.cli.wanted import Wanted
from controller.runtime.client.client import Client
from controller.translate.share_group import group_of


def plan_in_cluster(
    wanted: Wanted,
    kubeconfig: Path | None,
    context: str | None,
    system_namespace: str,
    output: Output,
    *,
    require_placed: bool,
) -> Sequence[str]:
    """Read the cluster, decide on a copy of it, and show what would come, leave, change and wait.

    Gives the keys of services of which a pod would wait.
    """
    alone = _without_groups(wanted, require_placed=require_placed)
    cluster = Cluster(kubeconfig, context, "plan on the cluster")

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
    else:
        typer.echo(live_plan_view.page(found, page_width(output)), nl=False)
        note(live_plan_view.summary(found))
    return found.waiting


def _without_groups(wanted: Wanted, *, require_placed: bool) -> Wanted:
    """The files without members of share groups; ends the command (exit 2) where these are all, or must be placed."""
    members = [workload for workload in wanted.workloads if group_of(workload.pod) is not None]
    if members and (require_placed or len(members) == len(wanted.workloads)):
        which = named([each.key for each in members])
        refuse(f"--cluster says nothing yet for share groups, which {which} ask for; plan them on paper, without it")
    for workload in members:
        note(f"{workload.key} is of a share group, for which --cluster says nothing yet: skipped")
    return replace(wanted, workloads=tuple(each for each in wanted.workloads if each not in members))
