"""Answers of Prometheus' API, from a server that says what the test wants."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from e2e.prometheus.api import Api, Series
from e2e.prometheus.errors import QueryRefused


@contextmanager
def saying(content: bytes, status: int = 200, asked: list[str] | None = None) -> Iterator[Api]:
    """A server that always answers the same; `asked` gets path and body of each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if asked is not None:
                asked.append(f"{self.command} {self.path} {body}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Api(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def success(kind: str, result: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def test_vectors_matrices_and_scalars_are_series() -> None:
    with saying(success("vector", [{"metric": {"a": "b"}, "value": [1, "2"]}])) as api:
        assert api.instant("x") == [Series({"a": "b"}, [(1.0, 2.0)])]
    with saying(success("matrix", [{"metric": {}, "values": [[1, "2"], [2, "+Inf"]]}])) as api:
        assert api.over("x", 1, 2) == [Series({}, [(1.0, 2.0), (2.0, math.inf)])]
    with saying(success("scalar", [1, "3"])) as api:
        assert api.instant("3")[0].last == 3.0


def test_moments_and_steps_are_asked_for() -> None:
    asked: list[str] = []
    with saying(success("matrix", []), asked=asked) as api:
        api.instant("a + b")
        api.instant("x", at=1.5)
        api.over("x", 1, 2.25, step_seconds=0.5)

    assert asked == [
        "POST /api/v1/query query=a+%2B+b",
        "POST /api/v1/query query=x&time=1.500",
        "POST /api/v1/query_range query=x&start=1.000&end=2.250&step=0.5",
    ]


@pytest.mark.parametrize(
    ("content", "status", "want"),
    [
        pytest.param(
            b'{"status":"error","errorType":"bad_data","error":"1:5: parse error"}',
            400,
            r"sum\(: 400 bad_data: 1:5: parse error",
            id="a wrong expression",
        ),
        pytest.param(b"no route", 503, "503 b'no route'", id="no JSON"),
        pytest.param(
            b'{"status":"success","warnings":["one store is gone"],"data":{}}', 200, "one store is gone", id="a part"
        ),
    ],
)
def test_what_is_no_answer_is_an_error_with_the_expression(content: bytes, status: int, want: str) -> None:
    with saying(content, status) as api, pytest.raises(QueryRefused, match=want):
        api.instant("sum(")


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ([1.0, 1.0], False),
        ([1.0, 2.0, 1.0], True),
        ([math.nan, float("nan")], False),
        ([math.nan, 1.0], True),
        ([], False),
    ],
)
def test_a_series_changes_when_two_of_its_values_differ(values: list[float], changes: bool) -> None:
    assert Series({}, list(enumerate(values))).changes is changes
