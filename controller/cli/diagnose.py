"""``aim-gpu diagnose``: a support bundle, redacted, with a list of what is in it and what is not."""

import platform
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.group import OPERATOR_NAMESPACE
from controller.cli.bundle import NotWritable, require_room
from controller.cli.cluster import Cluster
from controller.cli.cluster_options import Context, Kubeconfig, SystemNamespace
from controller.cli.diagnose_read import NEVER, Reading, Scope
from controller.cli.given_names import namespace_name
from controller.cli.namespaces import NoNamespace, require_namespace
from controller.cli.output import Form, Output, note, print_document, refuse
from controller.cli.program import program
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock, RealClock

_SUFFIX: Final = ".tar.gz"


def diagnose(
    out: Annotated[
        Path | None, typer.Option(help="The file to write; default: aim-gpu-diagnose-TIME.tar.gz here.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Only objects of this namespace, for who may read no others.",
            callback=namespace_name,
        ),
    ] = None,
    logs: Annotated[bool, typer.Option(help="Logs of the operator, its agents and gateways, where allowed.")] = True,
    limit: Annotated[float, typer.Option(min=1.0, help="Seconds that reading may take.")] = 300.0,
    system_namespace: SystemNamespace = OPERATOR_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Form = Output.TABLE,
) -> None:
    """Write a support bundle: our objects, nodes, pods with partitions, events, logs, versions, conditions.

    Secrets and ConfigMaps are never read, values of environment variables and whatever is not known to be harmless
    are taken out; manifest.yaml in it says what is there and what was left out, and why. Look into it before you send
    it. Nothing in the cluster is changed, and nothing is sent anywhere.
    """
    clock = RealClock()
    made = clock.now()
    path = out or Path(f"aim-gpu-diagnose-{made:%Y%m%d-%H%M%S}{_SUFFIX}")
    if not path.name.endswith(_SUFFIX):
        refuse(f"--out {str(path)!r} is a {_SUFFIX} file: name it so")
    cluster = Cluster(kubeconfig, context, "diagnose the cluster")
    scope = Scope(namespace, system_namespace, logs, limit)
    try:
        require_room(path)
        reading = cluster.ask(lambda client: _read(client, clock, scope))
        manifest = _manifest(reading, made)
        reading.bundle.write(path, manifest, made)
    except NotWritable as error:
        refuse(f"--out: {error}")
    except NoNamespace as error:
        refuse(f"-n: {error}")
    if output.for_programs:
        print_document({"file": str(path)} | manifest, output)
        return
    for what, why in reading.bundle.left_out:
        note(f"left out: {what}: {why}")
    taken = sum(reading.redactor.counts.values())
    note(f"{path}: {len(reading.bundle)} files; {taken} values were taken out; look into it before you send it")


async def _read(client: Client, clock: Clock, scope: Scope) -> Reading:
    await require_namespace(client, scope.namespace)
    reading = Reading(client, clock, scope)
    await reading.all()
    return reading


def _manifest(reading: Reading, made: datetime) -> dict[str, Any]:
    return reading.bundle.manifest(
        made=made.isoformat(timespec="seconds"),
        by={"command": program(), "version": version("aim-gpu-sharing"), "python": platform.python_version()},
        namespace=reading.scope.namespace,
        never=list(NEVER),
        redacted={rule: count for rule, count in sorted(reading.redactor.counts.items()) if count},
    )
