"""``aim-gpu explain``: why an object has the place it has, or has none, and what would change that."""

from typing import Annotated

import typer

from api.group import OPERATOR_NAMESPACE
from controller.cli.cluster import Cluster
from controller.cli.cluster_options import Context, Kubeconfig, SystemNamespace
from controller.cli.explain_read import NothingToExplain, Question, answer
from controller.cli.explain_view import page
from controller.cli.given_names import namespace_name
from controller.cli.output import Form, Output, page_width, print_document, refuse
from controller.cli.subject import BadSubject, parse_subject


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="KIND/NAME", help="claim, pod, inferenceservice, isvc or node, and its name, such as pod/llama-0."
        ),
    ],
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Its namespace; else the context's own.",
            show_default=False,
            callback=namespace_name,
        ),
    ] = None,
    system_namespace: SystemNamespace = OPERATOR_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Form = Output.TABLE,
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
    question = Question(subject, system_namespace)
    try:
        document = cluster.ask(lambda client: answer(client, question))
    except NothingToExplain as error:
        refuse(str(error))
    if output.for_programs:
        print_document(document, output)
    else:
        typer.echo(page(document, page_width(output)), nl=False)
