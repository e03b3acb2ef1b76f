"""`aim-gpu operator`: the process's options on the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.output import refuse
from controller.entrypoints.certificate_options import (
    AUTHORITY_SECONDS,
    LEAF_SECONDS,
    AuthorityLifetime,
    CertificateDir,
    CertificateLifetime,
    Certificates,
    rotation,
)
from controller.entrypoints.operator_options import CERTIFICATE_DIR, CertificateMode, OperatorOptions
from controller.entrypoints.process_command import (
    HealthPort,
    Listening,
    MetricsPort,
    OtlpMetricsEndpoint,
    configure_process_logs,
    run_process,
)
from controller.entrypoints.webhook_address import parse_webhook_host, parse_webhook_url
from controller.runtime.election.lease import LeaseTiming

_TIMING = LeaseTiming()


def operator(
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; inside a cluster leave it out.")] = None,
    system_namespace: Annotated[
        str, typer.Option(help="Namespace of Leases and of the webhook's certificates.")
    ] = "aim-gpu-system",
    bind_host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    webhook_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the webhook; 0 takes a free one.")
    ] = 9443,
    webhook_url: Annotated[
        str | None, typer.Option(help="https://HOST:PORT by which the API server reaches all replicas' webhooks.")
    ] = None,
    webhook_host: Annotated[
        str | None, typer.Option(help="Host by which it reaches this replica's webhook, outside the cluster.")
    ] = None,
    certificates: Certificates = CertificateMode.SELF,
    certificate_dir: CertificateDir = CERTIFICATE_DIR,
    certificate_lifetime: CertificateLifetime = LEAF_SECONDS,
    authority_lifetime: AuthorityLifetime = AUTHORITY_SECONDS,
    health_port: HealthPort = 8081,
    metrics_port: MetricsPort = 8443,
    metrics_plain: Annotated[
        bool, typer.Option("--metrics-plain/--metrics-secure", help="Metrics over HTTP, for anybody who asks.")
    ] = False,
    otlp_metrics_endpoint: OtlpMetricsEndpoint = None,
    debug_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of /debug/tasks and /debug/queue on loopback; default: none."),
    ] = None,
    otlp_endpoint: Annotated[
        str | None, typer.Option(help="http(s)://HOST:PORT to send a span for each reconcile to; default: none.")
    ] = None,
    leader_elect: Annotated[
        bool, typer.Option(help="Work only while holding the Lease; off where there is one replica for sure.")
    ] = True,
    lease_duration: Annotated[
        int, typer.Option(min=1, help="Seconds after which a silent leader is replaced.")
    ] = _TIMING.duration,
    renew_deadline: Annotated[
        float, typer.Option(help="Seconds without a renewal after which a leader gives up.")
    ] = _TIMING.renew_deadline,
    retry_period: Annotated[float, typer.Option(help="Seconds between renewals.")] = _TIMING.retry_period,
    ports_file: Annotated[Path | None, typer.Option(help="File to write the ports to, as JSON.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Claims reconciled at once.")] = 16,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the operator until it is told to end."""
    from controller.entrypoints.run_operator import run_operator

    configure_process_logs(log_level)
    options = OperatorOptions(
        kubeconfig=kubeconfig,
        system_namespace=system_namespace,
        bind_host=bind_host,
        webhook_port=webhook_port,
        webhook_url=_parsed(parse_webhook_url, webhook_url),
        webhook_url_host=_parsed(parse_webhook_host, webhook_host),
        certificates=certificates,
        certificate_dir=certificate_dir,
        rotation=rotation(certificate_lifetime, authority_lifetime),
        health_port=health_port,
        metrics_port=metrics_port,
        metrics_plain=metrics_plain,
        otlp_metrics_endpoint=otlp_metrics_endpoint,
        debug_port=debug_port,
        otlp_endpoint=otlp_endpoint,
        election=_timing(lease_duration, renew_deadline, retry_period) if leader_elect else None,
        ports_file=ports_file,
        workers=workers,
    )
    run_process(lambda: run_operator(options), _listening(options))


def _listening(options: OperatorOptions) -> list[Listening]:
    return [
        Listening("--webhook-port", options.bind_host, options.webhook_port),
        Listening("--health-port", options.bind_host, options.health_port),
        Listening("--metrics-port", options.bind_host, options.metrics_port),
        Listening("--debug-port", "127.0.0.1", options.debug_port or 0),
    ]


def _parsed(parse: Callable[[str], str], text: str | None) -> str | None:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        refuse(str(error))


def _timing(duration: int, renew_deadline: float, retry_period: float) -> LeaseTiming:
    try:
        return LeaseTiming(duration, renew_deadline, retry_period)
    except ValueError as error:
        refuse(str(error))
