"""`aim-gpu ui-server` refuses what it cannot use, in one line, and hands on the rest."""

from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from controller.entrypoints.main import command_line
from controller.entrypoints.run_ui_server import UiServerProcess
from controller.entrypoints.ui_server_options import UiServerOptions
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import RealClock
from controller.telemetry.metrics import Metrics

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: t}}]
current-context: c
"""


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[UiServerOptions]:
    """The options that the process would run with."""
    found: list[UiServerOptions] = []

    async def run(options: UiServerOptions) -> None:
        found.append(options)

    monkeypatch.setattr("controller.entrypoints.run_ui_server.run_ui_server", run)
    return found


def ui_server(*arguments: str) -> Result:
    try:
        return CliRunner().invoke(
            command_line("ui-server"), ["ui-server", "--health-port", "0", "--metrics-port", "0", *arguments]
        )
    finally:
        structlog.reset_defaults()


def test_without_options_it_listens_and_asks_as_the_chart_wants(given: list[UiServerOptions]) -> None:
    assert ui_server("--port", "0", "--insecure-http").exit_code == 0
    assert given == [UiServerOptions(health_port=0, metrics_port=0, port=0)]
    assert given[0].audiences == ("aim-gpu-ui",)


def test_audiences_are_those_that_are_named_and_no_others(given: list[UiServerOptions]) -> None:
    assert ui_server("--port", "0", "--insecure-http", "--audience", "one", "--audience", "two").exit_code == 0
    assert given[0].audiences == ("one", "two")


def test_an_audience_that_is_none_is_refused(given: list[UiServerOptions]) -> None:
    told = ui_server("--port", "0", "--insecure-http", "--audience", " ")
    assert (told.exit_code, given) == (2, [])
    assert "--audience ' ': is none" in told.output


@pytest.mark.parametrize("transport", [(), ("--insecure-http", "--tls-dir", ".")])
def test_it_is_said_how_tokens_travel(given: list[UiServerOptions], transport: tuple[str, ...]) -> None:
    told = ui_server("--port", "0", *transport)
    assert (told.exit_code, given, "one of the two" in told.output) == (2, [], True)


def test_a_folder_without_a_certificate_is_refused(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    told = ui_server("--port", "0", "--kubeconfig", str(kubeconfig), "--tls-dir", str(tmp_path))
    assert told.exit_code == 2
    assert f"--tls-dir: {tmp_path}: tls.crt and tls.key" in told.output


async def test_it_is_not_ready_before_the_cluster_is_listed() -> None:
    configuration = ClientConfiguration(server="http://127.0.0.1:1", token="t")
    async with Client(configuration) as client:
        process = UiServerProcess(UiServerOptions(), client, client, client, RealClock(), metrics=Metrics("ui"))
    checks = process._checks()
    assert {name: check() for name, check in checks.items()} == {
        "cluster": "not listed yet",
        "ui": "does not listen",
    }
