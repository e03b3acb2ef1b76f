"""Settings of the process that serves the live map in a cluster."""

from dataclasses import dataclass
from pathlib import Path

from controller.agent.heartbeat import SYSTEM_NAMESPACE
from controller.ui.review_gate import AUDIENCE


@dataclass(frozen=True, slots=True)
class UiServerOptions:
    """How one such process runs. Ports of 0 take a free one.

    `system_namespace`: that of the operator and of its agents' Leases. `tls_dir` has tls.crt and tls.key; None: plain
    HTTP. `audiences`: whom tokens must be for, one of them. `otlp_metrics_endpoint`: a collector that is sent the
    metrics too, None for none. `ports_file` receives {"ui", "health", "metrics"} once all listen.
    """

    kubeconfig: Path | None = None
    system_namespace: str = SYSTEM_NAMESPACE
    bind_host: str = "0.0.0.0"  # noqa: S104 - browsers and a pod's probes come from outside
    port: int = 8000
    tls_dir: Path | None = None
    audiences: tuple[str, ...] = (AUDIENCE,)
    health_port: int = 8081
    metrics_port: int = 8443
    metrics_plain: bool = False
    otlp_metrics_endpoint: str | None = None
    ports_file: Path | None = None
