"""`aim-gpu gateway`: the process's options on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.output import refuse
from controller.entrypoints.gateway_image import become_gateway
from controller.entrypoints.gateway_options import AUDIENCE, GATEWAY_NAMESPACE, GatewayOptions
from controller.entrypoints.process_command import (
    HealthPort,
    Listening,
    MetricsPort,
    OtlpMetricsEndpoint,
    configure_process_logs,
    refuse_taken_ports,
)
from controller.gateway.configuration import Limits

_LIMITS = Limits()
_DEFAULTS = GatewayOptions()


TlsDir = Annotated[
    Path | None,
    typer.Option(help="Folder of tls.crt and tls.key, as a Secret of type kubernetes.io/tls is mounted."),
]
InsecureHttp = Annotated[
    bool, typer.Option("--insecure-http", help="Plain HTTP in place of --tls-dir: keys can be read on the way.")
]
KeyNamespaces = Annotated[
    list[str] | None,
    typer.Option(help="Namespace whose Secret of API keys counts, repeated; * for all; default: its own."),
]
Tokens = Annotated[bool, typer.Option("--tokens/--no-tokens", help="Take ServiceAccounts' tokens, or API keys alone.")]
Hosts = Annotated[
    list[str] | None,
    typer.Option(help="HOST=NAMESPACE: by that host only services of that namespace are found; repeated."),
]
MaxSequences = Annotated[
    int,
    typer.Option(min=1, help="What one request may have generated at once (n, best_of, prompts); divides seats."),
]
MaxBodiesBytes = Annotated[int, typer.Option(min=1, help="All bodies longer than one read together.")]
MaxConnectionsPerClient = Annotated[int, typer.Option(min=1, help="Of them from one address.")]
EngineCa = Annotated[
    Path | None,
    typer.Option(exists=True, help="Authority of engines that speak HTTPS, PEM; default: the system's."),
]
AddressesFile = Annotated[
    Path | None,
    typer.Option(help="JSON of HOST:PORT by pod uid, in the place of EndpointSlices' addresses: for simulations."),
]
Shards = Annotated[
    bool, typer.Option("--shards/--no-shards", help="One of several replicas, which divide the partitions.")
]
ReplicaGroup = Annotated[str, typer.Option(help="Whose replica: those of one name in the namespace belong together.")]
PeerHost = Annotated[
    str | None,
    typer.Option(envvar="POD_IP", help="Address at which other replicas reach this one; default: --bind-host."),
]
PeerPort = Annotated[
    int, typer.Option(min=0, max=65535, help="Port for other replicas, by mutual TLS; 0 takes a free one.")
]
DrainSeconds = Annotated[float, typer.Option(min=0.0, help="At the end, how long requests under way may take.")]
MetricsPlain = Annotated[
    bool, typer.Option("--metrics-plain/--metrics-secure", help="Metrics over HTTP, for anybody who asks.")
]


def gateway(
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; inside a cluster leave it out.")] = None,
    namespace: Annotated[str, typer.Option(help="The gateway's own namespace.")] = GATEWAY_NAMESPACE,
    bind_host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes a free one.")] = 8000,
    tls_dir: TlsDir = None,
    insecure_http: InsecureHttp = False,
    key_namespace: KeyNamespaces = None,
    audience: Annotated[str, typer.Option(help="Whom ServiceAccounts' tokens must be for.")] = AUDIENCE,
    tokens: Tokens = True,
    open_: Annotated[bool, typer.Option("--open", help="Whoever shows no key may call every service.")] = False,
    host: Hosts = None,
    max_sequences: MaxSequences = _LIMITS.sequences,
    max_body_bytes: Annotated[int, typer.Option(min=1, help="Longest body of a request.")] = _LIMITS.body_bytes,
    max_bodies_bytes: MaxBodiesBytes = _LIMITS.bodies_bytes,
    max_connections: Annotated[int, typer.Option(min=1, help="Clients' connections at once.")] = _LIMITS.connections,
    max_connections_per_client: MaxConnectionsPerClient = _LIMITS.connections_per_client,
    engine_ca: EngineCa = None,
    addresses_file: AddressesFile = None,
    shards: Shards = False,
    replica_group: ReplicaGroup = _DEFAULTS.replica_group,
    peer_host: PeerHost = None,
    peer_port: PeerPort = _DEFAULTS.peer_port,
    drain_seconds: DrainSeconds = 30.0,
    health_port: HealthPort = 8081,
    metrics_port: MetricsPort = 8443,
    metrics_plain: MetricsPlain = False,
    otlp_metrics_endpoint: OtlpMetricsEndpoint = None,
    ports_file: Annotated[Path | None, typer.Option(help="File to write the ports to, as JSON.")] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the gateway until it is told to end."""
    configure_process_logs(log_level)
    if insecure_http == (tls_dir is not None):
        refuse("--tls-dir: give the folder of a certificate, or --insecure-http for plain HTTP; one of the two")
    options = GatewayOptions(
        kubeconfig=kubeconfig,
        namespace=namespace,
        bind_host=bind_host,
        port=port,
        tls_dir=tls_dir,
        key_namespaces=tuple(key_namespace or [namespace]),
        audience=audience if tokens else None,
        open=open_,
        hosts=dict(map(_host, host or ())),
        limits=Limits(
            sequences=max_sequences,
            body_bytes=max_body_bytes,
            bodies_bytes=max_bodies_bytes,
            connections=max_connections,
            connections_per_client=min(max_connections_per_client, max_connections),
        ),
        addresses=addresses_file,
        engine_ca=engine_ca,
        drain_seconds=drain_seconds,
        health_port=health_port,
        metrics_port=metrics_port,
        metrics_plain=metrics_plain,
        otlp_metrics_endpoint=otlp_metrics_endpoint,
        ports_file=ports_file,
        shards=shards,
        replica_group=replica_group,
        peer_host=peer_host,
        peer_port=peer_port,
    )
    refuse_taken_ports(
        [
            Listening("--port", bind_host, port),
            Listening("--health-port", bind_host, health_port),
            Listening("--metrics-port", bind_host, metrics_port),
            *([Listening("--peer-port", bind_host, peer_port)] if shards else ()),
        ]
    )
    become_gateway(options, log_level)


def _host(text: str) -> tuple[str, str]:
    host, equals, namespace = text.partition("=")
    if not (host and equals and namespace):
        refuse(f"--host {text}: is no HOST=NAMESPACE; write such as team-a.models.example=team-a")
    return host.lower(), namespace
