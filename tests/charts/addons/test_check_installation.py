"""What `helm test` calls well and what not, before answers as a cluster gives them."""

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.runtime.certs.authority import issue_leaf, make_authority
from tests.charts.addons.installation_check import Answer, MemoryApi, load, pods

check = load()
REFUSED: Answer = (422, {"message": "spec.model.id: 'Qwen/Qwen3-9B' is unknown; did you mean Qwen/Qwen3-8B"})
GATED: Answer = (201, {"spec": {"schedulingGates": [{"name": "aim.amd.com/partition"}]}})


@contextmanager
def process(healthz: int, readyz: int) -> Iterator[int]:
    """The port of a process that answers with these statuses."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response({"/healthz": healthz, "/readyz": readyz}[self.path])
            self.end_headers()
            self.wfile.write(b"[-]leases not renewed\nnot ok\n")

        def log_message(self, *args: object) -> None:
            """Nothing is written to the terminal."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_process_whose_pods_are_ready_is_well() -> None:
    api = MemoryApi(pods("127.0.0.1"))
    with process(200, 200) as port:
        assert check.check_ready(api, "aim-gpu-system", "aim-gpu-operator", port) == "1 ready"
    assert api.asked == [
        (
            "GET",
            "/api/v1/namespaces/aim-gpu-system/pods?labelSelector=app.kubernetes.io/name%3Daim-gpu-operator",
            None,
        )
    ]


@pytest.mark.parametrize(
    ("healthz", "readyz", "want"), [(200, 503, "says at /readyz: "), (500, 200, "says at /healthz: ")]
)
def test_one_that_is_not_ready_is_quoted(healthz: int, readyz: int, want: str) -> None:
    with process(healthz, readyz) as port, pytest.raises(check.Wrong, match=f"{want}.*leases not renewed, not ok"):
        check.check_ready(MemoryApi(pods("127.0.0.1")), "here", "aim-gpu-gateway", port)


def test_one_that_does_not_answer_is_named_with_its_address() -> None:
    with process(200, 200) as port:
        pass
    with pytest.raises(check.Wrong, match=rf"pod here/pod-0 does not answer /healthz at 127.0.0.1:{port}"):
        check.check_ready(MemoryApi(pods("127.0.0.1")), "here", "aim-gpu-gateway", port)


NOT_READY = [
    pytest.param(pods(), "aim-gpu-operator has no pod in namespace here", id="nobody is there"),
    pytest.param(pods(""), "pod here/pod-0 has no address yet", id="not started"),
    pytest.param((403, {"message": "pods is forbidden"}), "cannot be listed: pods is forbidden", id="no right"),
]


@pytest.mark.parametrize(("answer", "want"), NOT_READY)
def test_pods_that_cannot_be_asked_are_told(answer: Answer, want: str) -> None:
    with pytest.raises(check.Wrong, match=want):
        check.check_ready(MemoryApi(answer), "here", "aim-gpu-operator", 1)


def test_a_pod_that_ends_is_not_asked() -> None:
    ending: Answer = (200, {"items": [{"metadata": {"name": "old", "deletionTimestamp": "2026-01-01T00:00:00Z"}}]})
    assert "label node" in check.check_ready(MemoryApi(ending), "here", "aim-gpu-agent", 1)


def test_no_agent_is_well_while_no_node_is_chosen() -> None:
    assert "aim.amd.com/managed=true" in check.check_ready(MemoryApi(pods()), "here", "aim-gpu-agent", 1)


@contextmanager
def served_map(folder: Path, page: tuple[int, str], data: int) -> Iterator[str]:
    """Where a map answers so, over HTTPS with a certificate that nobody knows."""
    begins = datetime.now(UTC) - timedelta(days=1)
    leaf = issue_leaf(make_authority("tests", begins, timedelta(days=30)), ["elsewhere"], begins, timedelta(days=10))
    (folder / "tls.pem").write_bytes(leaf.private_key_pem + leaf.certificate_pem)
    answers = {"/": page, "/api/state": (data, "no token")}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            """Nothing is written to the terminal."""

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "tls.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


PAGE = (200, "<title>GPU map</title>")
MAPS = [
    pytest.param(PAGE, 401, None, id="a page, and no data for strangers"),
    pytest.param((404, "not here"), 401, "answered 404 and no page", id="no page"),
    pytest.param((200, "welcome to our proxy"), 401, "answered 200 and no page", id="a page of somebody else"),
    pytest.param(PAGE, 200, "answered 200 to somebody without a token", id="data for strangers"),
    pytest.param(PAGE, 503, "answered 503 to somebody", id="a map that cannot ask who comes"),
]


@pytest.mark.parametrize(("page", "data", "want_wrong"), MAPS)
def test_the_live_map_is_judged_by_its_page_and_by_what_it_keeps(
    tmp_path: Path, page: tuple[int, str], data: int, want_wrong: str | None
) -> None:
    with served_map(tmp_path, page, data) as place:
        if want_wrong is None:
            assert "with a token" in check.check_map(place)
        else:
            with pytest.raises(check.Wrong, match=want_wrong):
                check.check_map(place)


def test_a_map_that_nobody_answers_for_is_told_with_what_it_needs(tmp_path: Path) -> None:
    with served_map(tmp_path, PAGE, 401) as place:
        pass
    with pytest.raises(check.Wrong, match=rf"{place} does not answer: .*; is there a Secret"):
        check.check_map(place)


WEBHOOKS = [
    pytest.param(check.check_validation, REFUSED, None, id="a misspelt model is refused"),
    pytest.param(check.check_validation, (201, {}), "can API servers reach", id="a misspelt model is let through"),
    pytest.param(check.check_validation, (403, {"message": "no"}), "403", id="a refusal that is not the webhook's"),
    pytest.param(check.check_conversion, (201, {}), None, id="converted"),
    pytest.param(check.check_conversion, (500, {"message": "conversion webhook failed"}), "failed", id="not converted"),
    pytest.param(check.check_gate, GATED, None, id="gated"),
    pytest.param(check.check_gate, (201, {"spec": {}}), "would run without one", id="not gated"),
    pytest.param(check.check_gate, (500, {"message": "failed calling webhook"}), "failed calling", id="pods are refused"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "answer", "want_wrong"), WEBHOOKS)
def test_webhooks_are_judged_by_what_they_did(
    asked: Callable[[MemoryApi, str], str], answer: Answer, want_wrong: str | None
) -> None:
    api = MemoryApi(answer)
    if want_wrong is None:
        assert asked(api, "here")
    else:
        with pytest.raises(check.Wrong, match=want_wrong):
            asked(api, "here")
    assert api.asked[0][1].endswith("?dryRun=All"), "nothing may be made"


def test_what_becomes_well_in_time_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    api = MemoryApi((201, {}), REFUSED)
    paused: list[float] = []
    assert check.run({"validation": lambda: check.check_validation(api, "here")}, 3, paused.append)
    assert paused == [check.PAUSE_SECONDS]
    assert capsys.readouterr().out.startswith("ok    validation: ")


def test_what_stays_wrong_is_told_once_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def unreachable() -> str:
        raise ConnectionRefusedError("refused")

    assert not check.run({"good": lambda: "fine", "bad": unreachable}, 3, lambda seconds: None)
    told = capsys.readouterr()
    assert told.out == "ok    good: fine\n", "a check that passed is not asked again"
    assert told.err.count("WRONG bad: the API server gave no answer that could be read: refused") == 1
