"""The operator's options about the webhooks' certificate, as the command line has them."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.output import refuse
from controller.entrypoints.operator_options import CertificateMode
from controller.runtime.certs.rotation import RotationPolicy

_DEFAULT = RotationPolicy()
LEAF_SECONDS = _DEFAULT.leaf_lifetime.total_seconds()
AUTHORITY_SECONDS = _DEFAULT.authority_lifetime.total_seconds()

Certificates = Annotated[
    CertificateMode,
    typer.Option(
        help="Who makes the webhooks' certificate: self (the operator; kept in a Secret), cert-manager (mounted;"
        " it injects the CA as well), files (mounted; a ca.crt among them is published), olm (mounted; the Operator"
        " Lifecycle Manager makes the webhook configurations too)."
    ),
]
CertificateDir = Annotated[
    Path, typer.Option(help="Folder of tls.crt, tls.key (or apiserver.crt, apiserver.key) and ca.crt.")
]
CertificateLifetime = Annotated[
    float, typer.Option(help="With --certificates self: seconds a certificate lasts; renewed at two thirds.")
]
AuthorityLifetime = Annotated[float, typer.Option(help="The same for its CA: at least four times as long.")]


def rotation(leaf: float, authority: float) -> RotationPolicy:
    """The policy of these lifetimes, in seconds; ends with exit code 2 when they do not fit each other."""
    try:
        return RotationPolicy.lasting(timedelta(seconds=leaf), timedelta(seconds=authority))
    except (ValueError, OverflowError) as error:
        refuse(f"--certificate-lifetime {leaf:g}, --authority-lifetime {authority:g}: {error}")
