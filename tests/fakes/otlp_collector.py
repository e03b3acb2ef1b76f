"""A collector of OpenTelemetry: takes OTLP over HTTP, and keeps what it got, decoded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector(ThreadingHTTPServer):
    """`hangs`: never answers. `status`: what it answers. `received`: path and message of each request."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *, hangs: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.received: list[tuple[str, Any]] = []
        self.hangs = hangs
        self.status = 200
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://127.0.0.1:{self.server_port}"


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind: type[Message] = ExportTraceServiceRequest if "traces" in self.path else ExportMetricsServiceRequest
        self.server.received.append((self.path, kind.FromString(body)))
        if self.server.hangs:
            self.server.released.wait()
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def serving_collector(*, hangs: bool = False) -> Iterator[Collector]:
    """One that listens while within."""
    made = Collector(hangs=hangs)
    serving = threading.Thread(target=made.serve_forever)
    serving.start()
    try:
        yield made
    finally:
        made.released.set()
        made.shutdown()
        serving.join()
        made.server_close()
