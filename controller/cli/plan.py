"""``aim-gpu plan``: what would become of these files, on nodes on paper or in the cluster as it is; changes nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.group import GPU_SHARING, OPERATOR_NAMESPACE
from controller.cli.cluster_options import Context, Kubeconfig, SystemNamespace
from controller.cli.exit_codes import ExitCode
from controller.cli.output import Form, Output, note, refuse

if TYPE_CHECKING:
    from controller.cli.wanted import Wanted


def plan(
    files: Annotated[
        list[Path],
        typer.Option(
            "--files",
            "-f",
            help="YAML files, directories of them, or - for standard input. Repeatable.",
            show_default=False,
        ),
    ],
    nodes: Annotated[
        Path | None,
        typer.Option(help="YAML with nodes: [{name, product, gpus, mode, labels}]. Default: 3 nodes of 8 MI300X."),
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="On the cluster as it is; also with --kubeconfig or --context.")
    ] = False,
    require_placed: Annotated[
        bool, typer.Option("--require-placed", help="Exit with code 4 if a pod of the files would wait. For scripts.")
    ] = False,
    system_namespace: SystemNamespace = OPERATOR_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Form = Output.TABLE,
) -> None:
    """Show where each service would go, which modes would change for it, and what would wait and why.

    On empty nodes on paper (--nodes), without a cluster; or with --cluster on a copy of a real one: like a diff, + what
    comes, - what leaves, ~ what changes or moves, ! what would wait. Nothing is changed.
    """
    live = cluster or kubeconfig is not None or context is not None
    if live and nodes is not None:
        refuse(f"--nodes: {str(nodes)!r} is on paper, and --cluster, --kubeconfig and --context are not; leave one out")
    wanted = _wanted(files)
    # of a real cluster policies and profiles alone may place claims that wait there
    alone = live and not require_placed and (wanted.policies or wanted.profiles)
    if not wanted.workloads and not alone:
        asking = f'InferenceServices, or pod templates with {GPU_SHARING}: "true"'
        refuse(f"nothing in these files asks for a GPU; give {asking}")
    # neither does without what decides, half a second of loading, and each without the other's half
    if live:
        from controller.cli.plan_in_cluster import plan_in_cluster

        waiting = plan_in_cluster(wanted, kubeconfig, context, system_namespace, output, require_placed=require_placed)
    else:
        from controller.cli.plan_on_paper import plan_on_paper

        waiting = plan_on_paper(wanted, nodes, output)
    if require_placed and waiting:
        from controller.cli.counted import named

        note(f"error: --require-placed: pods of {named(waiting)} would wait")
        raise typer.Exit(ExitCode.WOULD_WAIT)


def _wanted(files: list[Path]) -> "Wanted":
    from controller.cli.documents import BadInput, read_documents
    from controller.cli.wanted import gather

    try:
        wanted = gather(read_documents(files))
    except BadInput as error:
        refuse(str(error))
    for text in wanted.notes:
        note(text)
    return wanted
