"""A real Prometheus reads processes that tell every declared metric; then no panel is empty.

What is told is made up (`told`). Whether our processes tell it is not seen here but where they run.
"""

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from controller.runtime.certs.authority import issue_leaf, make_authority
from dashboards.queries import panels, queries
from dashboards.rules.alerts import scaled
from e2e.prometheus.api import Api, Series
from e2e.prometheus.configuration import Target
from e2e.prometheus.programs import Programs
from e2e.prometheus.server import Prometheus
from tests.dashboards.chosen import COMMITTED, EVERYTHING, Board, variables
from tests.dashboards.test_files import BOARDS
from tests.dashboards.told import PROCESSES, page

pytestmark = pytest.mark.needs_prometheus

FASTER = 60
SEEN_SECONDS = 10.0
"""Until rates, recorded series and alerts are there: some ten collections and what alerts wait, made shorter."""
LIMIT_SECONDS = 60.0
BUILT_IN = {"__rate_interval": "5s", "__range": "10s", "__interval": "1s"}
OTHERS = 'controller_runtime_reconcile_errors_total{controller="somebody-elses"}'


def handler(process: str) -> type[http.server.BaseHTTPRequestHandler]:
    """Tells what a process would, from its start on."""
    started = time.monotonic()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seconds = time.monotonic() - started
            foreign = f"# TYPE {OTHERS.partition('{')[0]} counter\n{OTHERS} {seconds}\n"
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write((page(process, seconds) if process in PROCESSES else foreign).encode())

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture(scope="module")
def asked(prometheus_programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A Prometheus that has read all processes, and another controller, for a while."""
    folder = tmp_path_factory.mktemp("panels")
    now = datetime.now(UTC)
    leaf = issue_leaf(make_authority("test", now, timedelta(days=2)), ["localhost"], now, timedelta(days=1))
    for name, content in (("tls.crt", leaf.certificate_pem), ("tls.key", leaf.private_key_pem)):
        (folder / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump(scaled(FASTER)))
    with ExitStack() as stack:
        targets = [Target(one, one, serve(stack, context, one)) for one in (*PROCESSES, "others")]
        prometheus = stack.enter_context(Prometheus(prometheus_programs, folder / "p", rule_files=[rules]))
        prometheus.read(targets)
        wait_for(prometheus.api, len(targets))
        yield prometheus.api


def serve(stack: ExitStack, context: ssl.SSLContext, process: str) -> str:
    """Where the process listens until the stack is left."""
    server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(process)))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return f"127.0.0.1:{server.server_address[1]}"


def wait_for(api: Api, targets: int) -> None:
    """Until so many targets have been read for `SEEN_SECONDS`."""
    seen = f"count(count_over_time(up[60s]) > {SEEN_SECONDS:.0f} and up == 1)"
    deadline = time.monotonic() + LIMIT_SECONDS
    while [series.last for series in api.instant(seen)] != [targets]:
        assert time.monotonic() < deadline, api.targets()
        time.sleep(0.2)


def answers(api: Api, board: Board, chosen: dict[str, str]) -> Iterator[tuple[str, list[Series]]]:
    """Each query of a dashboard, by its panel's title, and its answer."""
    every = {name: EVERYTHING.get(name, ".*") for name in variables(board)} | BUILT_IN | chosen
    for title, expr in queries(board, every):
        yield title, api.instant(expr)


@BOARDS
def test_no_panel_is_empty(asked: Api, board: Board) -> None:
    assert [title for title, found in answers(asked, board, {}) if not found] == []


@BOARDS
def test_lines_move(asked: Api, board: Board) -> None:
    every = {name: EVERYTHING.get(name, ".*") for name in variables(board)} | BUILT_IN
    drawn = {panel["title"] for panel in panels(board) if panel["type"] == "timeseries"}
    end = time.time()
    still = [
        title
        for title, expr in queries(board, every)
        if title in drawn and not any(series.changes for series in asked.over(expr, end - 12, end))
    ]
    constant = {"Replicas that lead", "Nodes whose agent does not answer"}
    assert set(still) - constant == set()


@BOARDS
def test_another_cluster_is_another_cluster(asked: Api, board: Board) -> None:
    assert [title for title, found in answers(asked, board, {"cluster": "elsewhere"}) if found] == []


@BOARDS
def test_a_chosen_namespace_is_all_that_is_shown(asked: Api, board: Board) -> None:
    for title, found in answers(asked, board, {"namespace": "team-a"}):
        if title != "Firing alerts":
            assert {series.labels.get("namespace", "team-a") for series in found} <= {"team-a"}, title


@pytest.mark.parametrize(
    ("name", "title", "expected"),
    [
        ("overview", "Services not ready", {1}),
        ("overview", "Claims that wait", {4, 8}),
        ("overview", "Agents lost", {1}),
        ("overview", "Changes under way", {6, 12}),
        ("overview", "Operators that lead", {1}),
        ("partition-utilization", "Partitions", {4}),
        ("partition-utilization", "Unhealthy", {2}),
        ("scheduler-metrics", "Nodes whose agent does not answer", {1}),
    ],
)
def test_figures_are_those_that_were_told(asked: Api, name: str, title: str, expected: set[float]) -> None:
    (found,) = [found for one, found in answers(asked, COMMITTED[name], {}) if one == title]
    (series,) = found
    assert series.last in expected


def test_what_nobody_has_is_on_no_list_of_services(asked: Api) -> None:
    for title, found in answers(asked, COMMITTED["partition-utilization"], {}):
        if title != "All partitions":
            assert all(series.labels.get("partition") != "2" for series in found), title
        if title.endswith("by service"):
            assert all(series.labels.get("service") for series in found), title


def test_figures_of_others_controllers_are_not_ours(asked: Api) -> None:
    assert asked.instant(OTHERS), "it was read"
    shown = [
        found for title, found in answers(asked, COMMITTED["overview"], {}) if title.startswith("Reconciles that fail")
    ]
    assert {series.labels["controller"] for found in shown for series in found} == {"claims", "plans"}


@BOARDS
def test_what_can_be_chosen_is_found(asked: Api, board: Board) -> None:
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and variable["name"] != "cluster":
            selector = variable["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
            for name in variables(board):
                selector = selector.replace(f"${name}", ".*")
            values = {labels.get(variable["name"], "") for labels in asked.series(selector)}
            assert values - {""}, variable["name"]
