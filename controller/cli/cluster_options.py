"""Options of verbs that talk to a cluster, as kubectl has them; without a client, which help needs nothing of."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.given_names import namespace_name

Kubeconfig = Annotated[
    Path | None,
    typer.Option(help="Kubeconfig file; else $KUBECONFIG, the pod's own, or ~/.kube/config.", show_default=False),
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig; else its current one.")]
SystemNamespace = Annotated[
    str,
    typer.Option(
        help="Namespace of the operator and of its agents' Leases.", show_default=True, callback=namespace_name
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
