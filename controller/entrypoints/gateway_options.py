"""Settings of the gateway process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from controller.gateway.configuration import Limits

GATEWAY_NAMESPACE = "aim-gpu-gateway"

AUDIENCE = "aim-gpu-gateway"
"""Whom tokens must be for unless told otherwise: a token for the API server itself is no key to models."""


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """How one gateway process runs. Ports of 0 take a free one.

    `namespace` is the gateway's own. `tls_dir` has tls.crt and tls.key; None: plain HTTP. `key_namespaces` are those
    whose Secret of keys counts, `*` for all. `audience`: whom ServiceAccounts' tokens must be for, None to take none.
    `open`: who shows no key may call, too. `hosts` maps a Host to the one namespace it stands for. `addresses`: a file
    of addresses by pod uid, in the place of the EndpointSlices'. `engine_ca`: whom engines that speak HTTPS must be
    vouched for by, None for the system's authorities. `drain_seconds`: how long the end waits for what is under way.
    `otlp_metrics_endpoint`: a collector that is sent the metrics too, None for none.
    `ports_file` receives {"gateway", "health", "metrics"} once all listen, and "peers" where there are others.

    `shards`: it is one of several replicas, which divide the partitions among them; all of `replica_group` in
    `namespace` do. Others reach it at `peer_host` (None: `bind_host`) and `peer_port`.
    """

    kubeconfig: Path | None = None
    namespace: str = GATEWAY_NAMESPACE
    bind_host: str = "0.0.0.0"  # noqa: S104 - clients and a pod's probes come from outside
    port: int = 8000
    tls_dir: Path | None = None
    key_namespaces: tuple[str, ...] = (GATEWAY_NAMESPACE,)
    audience: str | None = AUDIENCE
    open: bool = False
    hosts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    limits: Limits = field(default_factory=Limits)
    addresses: Path | None = None
    engine_ca: Path | None = None
    drain_seconds: float = 30.0
    health_port: int = 8081
    metrics_port: int = 8443
    metrics_plain: bool = False
    otlp_metrics_endpoint: str | None = None
    ports_file: Path | None = None
    shards: bool = False
    replica_group: str = "aim-gpu-gateway"
    peer_host: str | None = None
    peer_port: int = 8444
