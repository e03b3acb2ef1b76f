"""The HTTPS server that the API server asks for admission and conversion.

    POST path -> method, type and size -> decode -> handler (within the asked timeout) -> review

It listens once it has a certificate, shows a new one on new connections without a pause, and on stopping answers what
is open before it goes.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, fields

import structlog
from aiohttp import web
from opentelemetry.metrics import Meter

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.serving import BadCertificate, ServingContext
from controller.runtime.certs.validity import validity
from controller.runtime.clock import Clock, RealClock
from controller.runtime.listener import Listener, Shutdown
from controller.runtime.webhook.conversion import ConversionHandler
from controller.runtime.webhook.endpoint import AdmissionEndpoint, AdmissionHandler, ConversionEndpoint, Endpoint
from controller.runtime.webhook.webhook_metrics import WebhookMetrics

# Seconds to go on answering open connections when stopping, then for reviews under way: an API server waits for them
# with a user behind it.
_SHUTDOWN = Shutdown(drain=1.0, finish=5.0)


@dataclass(frozen=True, slots=True)
class WebhookStatistics:
    """Reviews since the start: admissions allowed and denied, objects converted, malformed reviews (4xx), failed ones
    (the handler's fault, or an object that cannot be converted). `refused_certificates`: those not taken.
    """

    allowed: int
    denied: int
    converted: int
    malformed: int
    failed: int
    refused_certificates: int


class WebhookServer:
    """Serves admission and conversion handlers over TLS. `port` 0: a free one, to be read from `.port` once started.

    Without `certificate` it listens from the first `replace_certificate` on. `meter` None: nothing is recorded.
    Raises BadCertificate for a `certificate` that nobody could accept.
    """

    def __init__(
        self,
        host: str,
        port: int,
        certificate: ServingCertificate | None = None,
        *,
        clock: Clock | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.host = host
        self._clock = clock or RealClock()
        self._tls = ServingContext()
        self._certified = asyncio.Event()
        self._listener = Listener(host, port, tls=self._tls.context, shutdown=_SHUTDOWN, clock=self._clock)
        self._metrics = WebhookMetrics(meter, self._clock)
        self._endpoints: dict[str, Endpoint] = {}
        self._tally: Counter[str] = Counter()
        self._log = structlog.get_logger(__name__)
        if certificate is not None:
            self._show(certificate)

    def __str__(self) -> str:
        return f"webhook server on {self.host}:{self.port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    @property
    def serving(self) -> bool:
        """Whether it listens now."""
        return self._listener.listening

    def ready(self) -> bool | str:
        """For readiness: True while it listens with a valid certificate, else why not."""
        certificate = self._tls.certificate
        if certificate is None:
            return "the webhook server has no certificate yet"
        if not self.serving:
            return "the webhook server does not listen"
        return validity(certificate, self._clock.now())

    def handle_admission(self, path: str, handler: AdmissionHandler) -> None:
        """Answer AdmissionReviews posted to `path` with `handler`. Raises ValueError for a path that is taken."""
        self._add(path, AdmissionEndpoint(path, handler, self._metrics, self._tally))

    def handle_conversion(self, path: str, handler: ConversionHandler) -> None:
        """Answer ConversionReviews posted to `path` with `handler`. Raises ValueError for a path that is taken."""
        self._add(path, ConversionEndpoint(path, handler, self._metrics, self._tally))

    def replace_certificate(self, certificate: ServingCertificate) -> bool:
        """Show `certificate` on new connections from now on; those that exist keep theirs.

        One that no client could accept is logged and not taken (False): the old one stays.
        """
        try:
            self._show(certificate)
        except BadCertificate as error:
            self._tally["refused_certificates"] += 1
            self._log.error("certificate refused; the old one stays", problem=str(error))
            return False
        return True

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError when the address is taken."""
        await self._certified.wait()
        app = web.Application()
        for path, endpoint in self._endpoints.items():
            app.router.add_route("*", path, endpoint.serve)
        await self._listener.run(app)

    async def wait_started(self, timeout: float) -> None:
        """Wait until it listens, at most `timeout` seconds; raises TimeoutError."""
        await self._listener.wait_started(timeout)

    def statistics(self) -> WebhookStatistics:
        """The figures of this moment."""
        return WebhookStatistics(**{field.name: self._tally[field.name] for field in fields(WebhookStatistics)})

    def _show(self, certificate: ServingCertificate) -> None:
        self._tls.replace(certificate, self._clock.now())
        self._certified.set()

    def _add(self, path: str, endpoint: Endpoint) -> None:
        if not path.startswith("/") or path in self._endpoints:
            raise ValueError(f"path {path!r}: taken, or does not begin with /; choose another")
        self._endpoints[path] = endpoint
