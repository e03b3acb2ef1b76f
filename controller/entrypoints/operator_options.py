"""Settings of the operator process."""

from dataclasses import dataclass
from pathlib import Path

from controller.reconcilers.inference_service.backend import DEFAULT_IMAGE


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """How one operator process runs. Ports of 0 take a free one.

    `webhook_url_host` names the host under which the API server reaches a webhook outside the cluster; None leaves
    the Service of the installed configuration. `ports_file` receives {"webhook", "metrics"} once both listen.
    """

    kubeconfig: Path | None = None
    system_namespace: str = "aim-gpu-system"
    bind_host: str = "0.0.0.0"  # noqa: S104 - a pod's probes and the API server come from outside
    webhook_port: int = 9443
    webhook_url_host: str | None = None
    metrics_port: int = 8080
    ports_file: Path | None = None
    workers: int = 16
    image_template: str = DEFAULT_IMAGE
