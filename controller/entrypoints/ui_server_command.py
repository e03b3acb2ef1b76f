"""`aim-gpu ui-server`: the process's options on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.cluster_options import SystemNamespace
from controller.cli.output import refuse
from controller.entrypoints.process_command import (
    HealthPort,
    Listening,
    MetricsPort,
    OtlpMetricsEndpoint,
    configure_process_logs,
    run_process,
)
from controller.entrypoints.ui_server_options import UiServerOptions

_DEFAULTS = UiServerOptions()

Audience = Annotated[
    list[str],
    typer.Option(
        help="Whom tokens must be for; several: one of them. A token for the API server itself is taken where its own "
        "audience is named."
    ),
]


def ui_server(
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; inside a cluster leave it out.")] = None,
    system_namespace: SystemNamespace = _DEFAULTS.system_namespace,
    bind_host: Annotated[str, typer.Option(help="Address to listen on.")] = _DEFAULTS.bind_host,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = _DEFAULTS.port,
    tls_dir: Annotated[
        Path | None, typer.Option(help="Folder of tls.crt and tls.key, followed as they change.")
    ] = None,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Plain HTTP in place of --tls-dir: tokens can be read on the way.")
    ] = False,
    audience: Audience = list(_DEFAULTS.audiences),  # noqa: B006 - the parser copies it
    health_port: HealthPort = _DEFAULTS.health_port,
    metrics_port: MetricsPort = _DEFAULTS.metrics_port,
    metrics_plain: Annotated[
        bool, typer.Option("--metrics-plain/--metrics-secure", help="Metrics over HTTP, for anybody who asks.")
    ] = False,
    otlp_metrics_endpoint: OtlpMetricsEndpoint = None,
    ports_file: Annotated[Path | None, typer.Option(help="File to write the ports to, as JSON.")] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Serve the live map in a cluster: who bears a token of the cluster sees what they may list, until told to end."""
    from controller.entrypoints.run_ui_server import run_ui_server

    configure_process_logs(log_level)
    if insecure_http == (tls_dir is not None):
        refuse("--tls-dir: give the folder of a certificate, or --insecure-http for plain HTTP; one of the two")
    if empty := [each for each in audience if not each.strip()]:
        refuse(f"--audience {empty[0]!r}: is none; name whom tokens must be for, such as {_DEFAULTS.audiences[0]}")
    options = UiServerOptions(
        kubeconfig=kubeconfig,
        system_namespace=system_namespace,
        bind_host=bind_host,
        port=port,
        tls_dir=tls_dir,
        audiences=tuple(audience),
        health_port=health_port,
        metrics_port=metrics_port,
        metrics_plain=metrics_plain,
        otlp_metrics_endpoint=otlp_metrics_endpoint,
        ports_file=ports_file,
    )
    ports = {"--port": port, "--health-port": health_port, "--metrics-port": metrics_port}
    listening = [Listening(option, bind_host, number) for option, number in ports.items()]
    run_process(lambda: run_ui_server(options), listening)
