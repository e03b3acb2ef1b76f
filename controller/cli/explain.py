"""``aim-gpu explain``: why an object has the place it has, or has none, and what would change that."""

import shutil
import sys
from typing import Annotated

import typer

from controller.agent.heartbeat import SYSTEM_NAMESPACE
from controller.cli.cluster import Cluster, Context, Kubeconfig
from controller.cli.explain_read import NothingToExplain, Question, answer
from controller.cli.explain_view import page
from controller.cli.live_cluster import SystemNamespace
from controller.cli.output import NOT_A_TERMINAL, Output, print_json, refuse
from controller.cli.subject import BadSubject, parse_subject
from controller.placement.scheduler import ModelScheduler


def explain(
    what: Annotated[str, typer.Argument(help="claim, pod, inferenceservice, isvc or node, a slash, and its name.")],
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Its namespace; else the context's own.", show_default=False)
    ] = None,
    system_namespace: SystemNamespace = SYSTEM_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="table for people, json for programs.")
    ] = Output.TABLE,
) -> None:
    """Say why a claim, pod, service or node stands as it does: candidates, refusals, the nearest change, history.

    Decides anew on the cluster as it is, by the operator's own scheduler, and changes nothing. Needs no more than to
    read the object and its claims; who may not read the cluster is shown what the operator wrote. Names of other
    tenants are shown to those who may get those objects.
    """
    cluster = Cluster(kubeconfig, context, f"explain {what}")
    try:
        subject = parse_subject(what, namespace or cluster.namespace)
    except BadSubject as error:
        refuse(str(error))
    question = Question(subject, system_namespace, ModelScheduler.by_policy())
    try:
        document = cluster.ask(lambda client: answer(client, question))
    except NothingToExplain as error:
        refuse(str(error))
    if output is Output.JSON:
        print_json(document)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else NOT_A_TERMINAL
        typer.echo(page(document, width), nl=False)
