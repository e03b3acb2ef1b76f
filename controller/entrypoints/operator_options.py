"""Settings of the operator process."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from controller.reconcilers.inference_service.backend import DEFAULT_IMAGE
from controller.runtime.certs.rotation import RotationPolicy
from controller.runtime.election.lease import LeaseTiming

#: Where OLM mounts a webhook's certificate, and cert-manager's Secret is mounted by custom.
CERTIFICATE_DIR = Path("/tmp/k8s-webhook-server/serving-certs")  # noqa: S108 - read only, and mounted by the cluster


class CertificateMode(StrEnum):
    """Who makes the webhooks' certificate, and tells the API server whom to trust."""

    SELF = "self"
    """The operator does both."""
    CERT_MANAGER = "cert-manager"
    """cert-manager does both: the certificate is mounted, the CA injected by an annotation."""
    FILES = "files"
    """Somebody mounts files; where a CA is among them, the operator publishes it."""
    OLM = "olm"
    """OLM mounts files, and makes the webhook configurations itself, under names of its own: nothing is published."""


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """How one operator process runs. Ports of 0 take a free one.

    `webhook_url` is the base URL by which the API server reaches webhooks outside the cluster (a balancer before all
    replicas); `webhook_url_host` does the same for a single replica, whose port is its own; with neither the Service
    of the installed configuration stays. `rotation` counts for certificates of our own, `certificate_dir` for mounted
    ones. `election` None: this process leads without asking, for tests of one replica. `metrics_plain`: metrics over
    HTTP without authentication. `debug_port` None: no debug pages. `otlp_endpoint` None: no spans.
    `otlp_metrics_endpoint` None: metrics are served and not sent. `ports_file` receives {"webhook", "health",
    "metrics"} once all listen.
    """

    kubeconfig: Path | None = None
    system_namespace: str = "aim-gpu-system"
    bind_host: str = "0.0.0.0"  # noqa: S104 - a pod's probes and the API server come from outside
    webhook_port: int = 9443
    webhook_url: str | None = None
    webhook_url_host: str | None = None
    certificates: CertificateMode = CertificateMode.SELF
    certificate_dir: Path = CERTIFICATE_DIR
    rotation: RotationPolicy = field(default_factory=RotationPolicy)
    health_port: int = 8081
    metrics_port: int = 8443
    metrics_plain: bool = False
    otlp_metrics_endpoint: str | None = None
    debug_port: int | None = None
    otlp_endpoint: str | None = None
    election: LeaseTiming | None = field(default_factory=LeaseTiming)
    ports_file: Path | None = None
    workers: int = 16
    image_template: str = DEFAULT_IMAGE
