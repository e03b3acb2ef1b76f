"""The OpenTelemetry SDK for spans, exported over OTLP/HTTP. Off unless somebody names an endpoint.

The exporter is an extra (`pip install 'aim-gpu-sharing[otlp]'`), imported only when it is used.
"""

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry.trace import Tracer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_PATH = "/v1/traces"


class TracingError(ValueError):
    """Spans were asked for and cannot be exported; the text says what to do."""


class Tracing:
    """The spans of one process. `tracer` None: off, and nobody pays for it.

    `endpoint`: the collector's URL ("http://collector:4318"; without a path /v1/traces is asked); None: off.
    `timeout`: seconds for one export, and for the last one at `close`. Raises TracingError for an endpoint that is no
    URL, or when the exporter is not installed.
    """

    def __init__(self, process: str, endpoint: str | None, *, timeout: float = 5.0) -> None:
        self.tracer: Tracer | None = None
        self._provider: TracerProvider | None = None
        self._timeout = timeout
        if endpoint is not None:
            self._provider = _provider(process, _exporter(_url(endpoint), timeout))
            self.tracer = self._provider.get_tracer("aim-gpu-sharing")

    def close(self) -> None:
        """Export what is left and stop; blocks for as long as that takes, `timeout` at most."""
        if self._provider is None:
            return
        # The SDK's own limit is 30 s, and cannot be chosen: a collector that hangs would hold up the process's end.
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(self._timeout)


def _url(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise TracingError(f"tracing endpoint {endpoint!r}: give a URL such as http://collector:4318")
    return endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}{_PATH}"


def _exporter(url: str, timeout: float) -> "SpanExporter":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise TracingError(
            f"tracing endpoint {url!r}: the exporter is not installed; run pip install 'aim-gpu-sharing[otlp]'"
        ) from error
    return OTLPSpanExporter(endpoint=url, timeout=timeout)


def _provider(process: str, exporter: "SpanExporter") -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"aim-gpu-{process}"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
