"""A real Prometheus before a target that wants HTTPS and a token."""

import http.server
import itertools
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.runtime.certs.authority import issue_leaf, make_authority
from e2e.plane.errors import ComponentDied
from e2e.prometheus.configuration import Target
from e2e.prometheus.errors import RulesRefused
from e2e.prometheus.programs import Programs
from e2e.prometheus.server import Prometheus

pytestmark = pytest.mark.needs_prometheus

TOKEN = "good"


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """Counts its readers, and tells those who show the token."""
    numbers = itertools.count(1)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            content = f'# TYPE read_total counter\nread_total{{namespace="ours"}} {next(numbers)}\n'.encode()
            self.send_response(200 if allowed else 403)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(content if allowed else b"")

        def log_message(self, *_: Any) -> None:
            pass

    now = datetime.now(UTC)
    leaf = issue_leaf(make_authority("test", now, timedelta(days=2)), ["localhost"], now, timedelta(days=1))
    for name, content in (("tls.crt", leaf.certificate_pem), ("tls.key", leaf.private_key_pem)):
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield Target("counting", "one", f"127.0.0.1:{server.server_address[1]}")
        server.shutdown()
        thread.join()


def eventually(what: str, check: Callable[[], Any], limit: float = 30) -> Any:
    deadline = time.monotonic() + limit
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {limit} s: {what}"
        time.sleep(0.1)
    return found


def rules(path: Path, expression: str) -> Path:
    rule = {"alert": "Read", "expr": expression, "labels": {"severity": "info"}}
    path.write_text(yaml.safe_dump({"groups": [{"name": "test", "rules": [rule]}]}))
    return path


def test_it_reads_asks_and_judges(prometheus_programs: Programs, tmp_path: Path, target: Target) -> None:
    alerts = rules(tmp_path / "good.yaml", "read_total > 2")
    with Prometheus(prometheus_programs, tmp_path / "p", token=TOKEN, rule_files=[alerts]) as prometheus:
        api = prometheus.api
        start = time.time()
        prometheus.read([target])

        eventually("the alert fires", lambda: api.instant('ALERTS{alertstate="firing"}'))

        (series,) = api.over("read_total", start, time.time())
        assert series.changes
        assert series.labels == {"__name__": "read_total", "namespace": "ours", "job": "counting", "instance": "one"}
        assert [(one["labels"]["instance"], one["health"]) for one in api.targets()] == [("one", "up")]
        assert {"read_total", "up", "ALERTS"} <= api.names()
        assert api.metadata()["read_total"][0]["type"] == "counter"
        assert [one["namespace"] for one in api.series("read_total")] == ["ours"]

        prometheus.load([rules(tmp_path / "other.yaml", "read_total < 0")])
        assert [rule["query"] for rule in api.rules()] == ["read_total < 0"]
        with pytest.raises(RulesRefused, match="parse error"):
            prometheus.load([rules(tmp_path / "bad.yaml", "sum(")])

        prometheus.show("bad")
        eventually("it is refused", lambda: "403" in api.targets()[0]["lastError"])
        prometheus.read([])
        eventually("nobody is read", lambda: not api.targets())


def test_one_that_ends_is_told_with_its_log(prometheus_programs: Programs, tmp_path: Path) -> None:
    with (
        pytest.raises(ComponentDied, match=r"(?s)prometheus ended with 1; .*parse error"),
        Prometheus(prometheus_programs, tmp_path / "p", rule_files=[rules(tmp_path / "bad.yaml", "sum(")]),
    ):
        pass
