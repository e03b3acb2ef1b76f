"""What the operator process listens on: webhooks, health, metrics, and debug pages where they are asked for."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import structlog

from api.group import OPERATOR_SERVICE
from controller.entrypoints.certificate_expiry import observe_certificates
from controller.entrypoints.metrics_endpoint import metrics_server
from controller.entrypoints.operator_options import CertificateMode, OperatorOptions
from controller.entrypoints.operator_webhooks import serve_webhooks
from controller.entrypoints.ports_file import PortsFile
from controller.runtime.cache.informer import Informer
from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.bundle import LOOK_SECONDS, CertificateKeeper, SecretName
from controller.runtime.certs.files import CertificateFiles
from controller.runtime.client.client import Client
from controller.runtime.client.errors import ApiError
from controller.runtime.clock import Clock
from controller.runtime.health import Check, HealthServer
from controller.runtime.manager import Manager
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.webhook.server import WebhookServer
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.telemetry.metrics import Metrics
from controller.webhooks.registration import Registration
from controller.webhooks.targets import Address, Target, Unusable

log = structlog.get_logger(__name__)

#: All replicas show certificates of one authority, so that the API server may ask any of them.
CERTIFICATES = "aim-gpu-webhook-certificates"
# Seconds for the webhook to listen, which it does as soon as there is a certificate.
_LISTENS_SECONDS = 60.0


class OperatorServers:
    """The servers of every replica, leading or not. `manager` is asked for readiness and given all of them.

    `reviews` asks who may read `metrics`. `cluster` and `sizing` are what objects are validated with.
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
        cluster: Cluster | None = None,
        sizing: Models | None = None,
    ) -> None:
        self._options = options
        self._certificates = certificate_source(options, client, clock, metrics, self._publishes)
        self.webhook = WebhookServer(options.bind_host, options.webhook_port, clock=clock, meter=metrics.meter)
        served = serve_webhooks(self.webhook, cluster, sizing)
        targets = () if options.certificates is CertificateMode.OLM else served
        self._registration = Registration(client, clock, targets, self._address)
        self._certificates.on_change(self._changed)
        observe_certificates(metrics, {"webhook": self._certificates.ending})
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
        # The registration goes with the webhooks: informers list what may have to be converted first.
        manager.add_webhook(self._certificates)
        manager.add_webhook(self.webhook)
        manager.add_webhook(self._registration)
        for target in targets:
            manager.add_informer(self._watching(client, clock, target))
        manager.add(PortsFile("operator", options.ports_file, self.ports))

    def _changed(self, certificate: ServingCertificate) -> None:
        self.webhook.replace_certificate(certificate)
        self._registration.look_now()

    def _watching(self, client: Client, clock: Clock, target: Target) -> Informer[PartialObject]:
        """Tells the registration when somebody touches `target`: manifests that are applied again forget our part."""
        informer = Informer(
            client, target.resource, into=PartialObject, field_selector=f"metadata.name={target.name}", clock=clock
        )
        informer.add_handler(lambda _: self._registration.look_now())
        return informer

    async def _address(self) -> Address:
        """What the API server must know of the webhooks, once they listen."""
        await self.webhook.wait_started(_LISTENS_SECONDS)
        await self._certificates.look_now()
        base = self._options.webhook_url
        if base is None and self._options.webhook_url_host is not None:
            base = f"https://{self._options.webhook_url_host}:{self.webhook.port}"
        injected = self._options.certificates is CertificateMode.CERT_MANAGER
        return Address(None if injected else self._certificates.ca_bundle, base)

    async def _publishes(self, authority_pem: bytes) -> bool:
        try:
            return await self._registration.publishes(authority_pem)
        except (ApiError, Unusable) as error:
            log.warning("not known whether the next authority is trusted", error=str(error))
            return False

    async def ports(self) -> Mapping[str, int]:
        """The ports by name, once the webhooks are registered."""
        await self._registration.wait_registered()
        return {"webhook": self.webhook.port, "health": self.health.port, "metrics": self.metrics.port}


def certificate_source(
    options: OperatorOptions,
    client: Client,
    clock: Clock,
    metrics: Metrics,
    published: Callable[[bytes], Awaitable[bool]] | None = None,
) -> CertificateKeeper | CertificateFiles:
    """Where the webhooks' certificate comes from.

    `self`: made here and kept in a Secret, which whichever replica looks first renews: a write carries the version it
    was decided on, so that it takes no leader, and a standby's webhooks do not wait for one. Else: files. `published`:
    whether the API server is told to trust an authority (PEM).
    """
    if options.certificates is not CertificateMode.SELF:
        return CertificateFiles(options.certificate_dir, clock=clock, meter=metrics.meter)
    return CertificateKeeper(
        client,
        SecretName(options.system_namespace, CERTIFICATES),
        certificate_names(options),
        common_name="aim-gpu-sharing webhook CA",
        policy=options.rotation,
        published=published,
        look_seconds=min(LOOK_SECONDS, options.rotation.settle.total_seconds() / 4),
        clock=clock,
        meter=metrics.meter,
    )


def certificate_names(options: OperatorOptions) -> list[str]:
    """The names by which the API server may call the webhook: outside the cluster its URL's host, and the Service."""
    service = f"{OPERATOR_SERVICE}.{options.system_namespace}.svc"
    host = urlsplit(options.webhook_url).hostname if options.webhook_url else options.webhook_url_host
    return list(dict.fromkeys(name for name in (host, service) if name))
