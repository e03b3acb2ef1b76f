"""`aim-gpu exporter`: the process's options on the command line."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.output import refuse
from controller.entrypoints.exporter_options import GATEWAY, ExporterOptions
from controller.entrypoints.process_command import (
    HealthPort,
    Listening,
    MetricsPort,
    OtlpMetricsEndpoint,
    configure_process_logs,
    run_process,
)
from controller.exporter.engines.reading import ReadingSettings
from controller.exporter.engines.watching import GatewayService

_READING = ReadingSettings()
_DEFAULTS = ExporterOptions()


class Told(StrEnum):
    """Whose requests a gateway that is there tells of."""

    SERVICES = "services"
    ALL = "all"
    NOTHING = "nothing"


GatewayTells = Annotated[
    Told,
    typer.Option(
        help="Whose requests the gateway tells of while it is there: services (our InferenceServices; others are "
        "reached past it), all (nobody reaches engines but by the gateway), nothing (there is none)."
    ),
]
GatewayName = Annotated[str, typer.Option(help="NAMESPACE/NAME of the Kubernetes Service that lists the gateway.")]
Interval = Annotated[float, typer.Option(min=0.5, help="Seconds between two readings of an engine.")]
Keep = Annotated[float, typer.Option(min=0.0, help="Seconds for which a service is told after its last pod.")]
EngineCa = Annotated[
    Path | None,
    typer.Option(exists=True, help="Authority of engines that speak HTTPS, PEM; default: the system's."),
]
AddressesFile = Annotated[
    Path | None,
    typer.Option(help="JSON of HOST:PORT by pod uid, in the place of pods' addresses: for simulations."),
]
MetricsPlain = Annotated[
    bool, typer.Option("--metrics-plain/--metrics-secure", help="Metrics over HTTP, for anybody who asks.")
]


def exporter(
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; inside a cluster leave it out.")] = None,
    bind_host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    gateway_tells: GatewayTells = Told.SERVICES,
    gateway_service: GatewayName = f"{GATEWAY.namespace}/{GATEWAY.name}",
    interval_seconds: Interval = _READING.interval_seconds,
    keep_seconds: Keep = _DEFAULTS.keep_seconds,
    engine_ca: EngineCa = None,
    addresses_file: AddressesFile = None,
    health_port: HealthPort = _DEFAULTS.health_port,
    metrics_port: MetricsPort = _DEFAULTS.metrics_port,
    metrics_plain: MetricsPlain = False,
    otlp_metrics_endpoint: OtlpMetricsEndpoint = None,
    ports_file: Annotated[Path | None, typer.Option(help="File to write the ports to, as JSON.")] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Tell of the requests of services without the gateway, by what their engines say, until it is told to end."""
    from controller.entrypoints.run_exporter import run_exporter

    configure_process_logs(log_level)
    options = ExporterOptions(
        kubeconfig=kubeconfig,
        bind_host=bind_host,
        gateway=_gateway(gateway_service, gateway_tells),
        reading=ReadingSettings(interval_seconds=interval_seconds),
        keep_seconds=keep_seconds,
        addresses=addresses_file,
        engine_ca=engine_ca,
        health_port=health_port,
        metrics_port=metrics_port,
        metrics_plain=metrics_plain,
        otlp_metrics_endpoint=otlp_metrics_endpoint,
        ports_file=ports_file,
    )
    listening = [
        Listening("--health-port", bind_host, health_port),
        Listening("--metrics-port", bind_host, metrics_port),
    ]
    run_process(lambda: run_exporter(options), listening)


def _gateway(text: str, tells: Told) -> GatewayService | None:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name):
        refuse(f"--gateway-service {text}: is no NAMESPACE/NAME; write such as {GATEWAY.namespace}/{GATEWAY.name}")
    return None if tells is Told.NOTHING else GatewayService(namespace, name, tells_all=tells is Told.ALL)
