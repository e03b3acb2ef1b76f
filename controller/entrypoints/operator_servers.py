"""What the operator process listens on: webhooks, health, metrics, and debug pages where they are asked for."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from controller.entrypoints.metrics_endpoint import metrics_server
from controller.entrypoints.operator_options import OperatorOptions
from controller.entrypoints.ports_file import PortsFile
from controller.runtime.certs.bundle import CertificateKeeper, SecretName
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.runtime.health import Check, HealthServer
from controller.runtime.manager import Manager
from controller.runtime.webhook.server import WebhookServer
from controller.telemetry.metrics import Metrics
from controller.webhooks.pod_gate import PodGate
from controller.webhooks.registration import PATH, Registration

SERVICE = "aim-gpu-operator"
#: All replicas show certificates of one authority, so that the API server may ask any of them.
CERTIFICATES = "aim-gpu-webhook-certificates"


class OperatorServers:
    """The servers of every replica, leading or not. `manager` is asked for readiness and given all of them.

    `reviews` asks who may read `metrics`.
    """

    def __init__(
        self,
        options: OperatorOptions,
        client: Client,
        clock: Clock,
        *,
        metrics: Metrics,
        reviews: Client,
        manager: Manager,
    ) -> None:
        self._options = options
        self._certificates = CertificateKeeper(
            client,
            SecretName(options.system_namespace, CERTIFICATES),
            certificate_names(options),
            common_name="aim-gpu-sharing webhook CA",
            clock=clock,
            meter=metrics.meter,
        )
        self.webhook = WebhookServer(options.bind_host, options.webhook_port, clock=clock, meter=metrics.meter)
        self.webhook.handle_admission(PATH, PodGate())
        self._certificates.on_change(self.webhook.replace_certificate)
        self._registration = Registration(client, clock, self._client_config)
        checks: dict[str, Check] = {
            "manager": lambda: manager.ready,
            "certificates": self._certificates.verdict,
            "webhook": self.webhook.ready,
            "registration": self._registration.verdict,
        }
        self.health = HealthServer(options.bind_host, options.health_port, checks, clock=clock)
        self.metrics = metrics_server(
            options.bind_host, options.metrics_port, metrics, reviews, clock, plain=options.metrics_plain
        )
        for server in (self.health, self.metrics):
            manager.add_health(server)
        manager.add_webhook(self._certificates)
        manager.add_webhook(self.webhook)
        manager.add(self._registration)
        manager.add(PortsFile("operator", options.ports_file, self.ports))

    def _client_config(self) -> dict[str, str]:
        """What the API server must know of the webhook, once it listens."""
        config = {"caBundle": self._certificates.ca_bundle}
        base = self._options.webhook_url
        if base is None and self._options.webhook_url_host is not None:
            base = f"https://{self._options.webhook_url_host}:{self.webhook.port}"
        return config if base is None else {**config, "url": f"{base}{PATH}"}

    async def ports(self) -> Mapping[str, int]:
        """The ports by name, once the webhook is registered."""
        await self._registration.wait_registered()
        return {"webhook": self.webhook.port, "health": self.health.port, "metrics": self.metrics.port}


def certificate_names(options: OperatorOptions) -> list[str]:
    """The names by which the API server may call the webhook: outside the cluster its URL's host, and the Service."""
    service = f"{SERVICE}.{options.system_namespace}.svc"
    host = urlsplit(options.webhook_url).hostname if options.webhook_url else options.webhook_url_host
    return list(dict.fromkeys(name for name in (host, service) if name))
