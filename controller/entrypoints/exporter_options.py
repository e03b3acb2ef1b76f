"""Settings of the exporter process."""

from dataclasses import dataclass, field
from pathlib import Path

from controller.exporter.engines.reading import ReadingSettings
from controller.exporter.engines.watching import GatewayService

#: Those of the gateway's manifest.
GATEWAY = GatewayService("aim-gpu-gateway", "aim-gpu-gateway")


@dataclass(frozen=True, slots=True)
class ExporterOptions:
    """How one exporter process runs. Ports of 0 take a free one.

    `gateway`: who tells of requests itself while it is there; None: nobody. `addresses`: a file of addresses by pod
    uid, in the place of the pods' own. `engine_ca`: whom engines that speak HTTPS must be vouched for by, None for the
    system's authorities. `keep_seconds`: how long a service is told after its last pod. `otlp_metrics_endpoint`:
    a collector that is sent the metrics too, None for none. `ports_file` receives {"health", "metrics"} once both
    listen.
    """

    kubeconfig: Path | None = None
    bind_host: str = "0.0.0.0"  # noqa: S104 - scrapers and a pod's probes come from outside
    gateway: GatewayService | None = GATEWAY
    reading: ReadingSettings = field(default_factory=ReadingSettings)
    keep_seconds: float = 60.0
    addresses: Path | None = None
    engine_ca: Path | None = None
    health_port: int = 8081
    metrics_port: int = 8443
    metrics_plain: bool = False
    otlp_metrics_endpoint: str | None = None
    ports_file: Path | None = None
