"""The OpenTelemetry SDK for spans, exported over OTLP/HTTP. Off unless somebody names an endpoint.

The exporter is an extra (`pip install 'aim-gpu-sharing[otlp]'`), imported only when it is used.
"""

import threading
from typing import TYPE_CHECKING

from opentelemetry.trace import Tracer

from controller.telemetry.endpoint import not_installed, signal_url

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_SIGNAL = "traces"


class Tracing:
    """The spans of one process. `tracer` None: off, and nobody pays for it.

    `endpoint`: the collector's URL ("http://collector:4318"; without a path /v1/traces is asked); None: off.
    `timeout`: seconds for one export, and for the last one at `close`. Raises OtlpError for an endpoint that is no
    URL, or when the exporter is not installed.
    """

    def __init__(self, process: str, endpoint: str | None, *, timeout: float = 5.0) -> None:
        self.tracer: Tracer | None = None
        self._provider: TracerProvider | None = None
        self._exporter: SpanExporter | None = None
        self._timeout = timeout
        if endpoint is not None:
            self._exporter = _exporter(signal_url(endpoint, _SIGNAL), timeout)
            self._provider = _provider(process, self._exporter)
            self.tracer = self._provider.get_tracer("aim-gpu-sharing")

    def close(self) -> None:
        """Export what is left and stop; blocks for as long as that takes, `timeout` at most."""
        if self._provider is None or self._exporter is None:
            return
        # The SDK's own limit is 30 s, and cannot be chosen: a collector that hangs would hold up the process's end.
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(self._timeout)
        if ending.is_alive():
            self._exporter.shutdown()  # what is left is dropped, and no thread goes on trying


def _exporter(url: str, timeout: float) -> "SpanExporter":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise not_installed(url) from error
    return OTLPSpanExporter(endpoint=url, timeout=timeout)


def _provider(process: str, exporter: "SpanExporter") -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"aim-gpu-{process}"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
