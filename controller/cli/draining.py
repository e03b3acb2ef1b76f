"""A node's drain: the look, the question, and what is then done, within disruption budgets."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

import typer

from controller.cli.cluster import Cluster, confirm
from controller.cli.counted import counted
from controller.cli.drain_plan import Drainage, Tenant, drain_of
from controller.cli.drain_steps import Drain, NotDrained
from controller.cli.drain_view import document, page, summary
from controller.cli.exit_codes import ExitCode
from controller.cli.live_cluster import read_cluster, with_budgets
from controller.cli.live_rights import NotReadable
from controller.cli.live_scheduler import scheduler_of
from controller.cli.output import Output, failed, looked_only, note, page_width, print_document, refuse
from controller.runtime.client.client import Client
from controller.runtime.clock import RealClock


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """The node, and how: see the verb's options. `limit` in seconds."""

    node: str
    system_namespace: str
    limit: float
    dry_run: bool
    let_wait: bool
    force: bool
    yes: bool


def drain_node(kubeconfig: Path | None, context: str | None, asked: DrainOptions, output: Output) -> None:
    """Show who would leave and where to, ask, cordon and evict. What prevents it ends the command with a sentence."""
    cluster = Cluster(kubeconfig, context, f"drain node {asked.node}")
    found = _looked(cluster, asked.node, asked.system_namespace)
    if output.for_programs and (asked.dry_run or not asked.yes):
        if asked.dry_run:
            print_document(document(found), output)
            return
        raise looked_only(document(found), output)
    if not output.for_programs:
        typer.echo(page(found, page_width(output)), nl=False)
    note(summary(found))
    if asked.dry_run:
        note("a dry run: nothing was changed")
        return
    leave = _leavers(found, asked)
    if not confirm(_question(found), yes=asked.yes or (found.cordoned and not leave)):
        raise failed(f"node {asked.node} is not drained; nothing was changed")
    done: list[str] = []
    try:
        _drained(cluster, found, leave, asked.limit, done)
    finally:
        if output.for_programs:
            print_document(document(found) | {"done": done}, output)


def _question(found: Drainage) -> str:
    pods = counted(len(found.tenants), "pod")
    return f"Evict {pods}?" if found.cordoned else f"Cordon node {found.node} and evict {pods}?"


def _looked(cluster: Cluster, node: str, system_namespace: str) -> Drainage:
    async def look(client: Client) -> Drainage | None:
        live = await with_budgets(client, await read_cluster(client, system_namespace))
        for text in live.assumed:
            note(text)
        return drain_of(live, node, scheduler_of(live.cluster))

    try:
        found = cluster.ask(look)
    except NotReadable as error:
        raise failed(f"cannot drain node {node}: {error}; ask an administrator of the cluster for the right") from error
    if found is None:
        refuse(f"no GPU node is called {node!r}, or its agent told nothing yet: kubectl get gpun lists them")
    return found


def _leavers(found: Drainage, asked: DrainOptions) -> list[Tenant]:
    """Who is to leave. Ends the command where somebody would be lost, or would wait, and nobody said that he may."""
    if found.lost and not asked.force:
        names = ", ".join(each.name for each in found.lost)
        raise failed(f"no controller makes {names} anew: delete them by hand, or give --force; nothing was changed")
    if found.homeless and not asked.let_wait and asked.yes:
        names = ", ".join(each.name for each in found.homeless)
        why = "for them no place is known elsewhere: make room, or give --let-wait"
        raise failed(f"{names} would be evicted, and {why}; nothing was changed")
    return [*found.tenants, *found.ending]


def _drained(cluster: Cluster, found: Drainage, leave: list[Tenant], limit: float, done: list[str]) -> None:
    """Do it; what was done is in `done`, however it ends."""

    async def go(client: Client) -> None:
        steps = Drain(client, RealClock(), Random(), found.node, leave, limit)  # noqa: S311 - spreads load
        async for line in steps.run():
            done.append(line)
            note(line)

    further = f"node {found.node} stays cordoned: run it again to go on, or kubectl uncordon {found.node}"
    try:
        cluster.ask(go)
    except NotDrained as error:
        raise failed(f"{error}; {further}") from error
    except (KeyboardInterrupt, typer.Exit) as error:
        if found.cordoned or done:
            note(further)
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        raise
    note(f"node {found.node} is drained of models: kubectl uncordon {found.node} once it may take pods again")
