"""``aim-gpu ui``: the live map of a cluster on this machine, for the person whose kubeconfig it is."""

from typing import Annotated

import typer

from api.group import OPERATOR_NAMESPACE
from controller.cli.cluster_options import Context, Kubeconfig, SystemNamespace


def ui(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    system_namespace: SystemNamespace = OPERATOR_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Serve a live map of GPUs, partitions, waiting claims and plans to this machine, until Ctrl-C. Changes nothing.

    The URL that is printed bears a token: who has it sees what your kubeconfig lets you list. Listens on 127.0.0.1
    alone. The browser is given a file that leads there, so that no list of processes shows the token.
    """
    from controller.ui.on_this_machine import (
        serve,
    )  # help does without a server, which takes a third of a second to load

    serve(kubeconfig, context, port, system_namespace, browser=browser)
