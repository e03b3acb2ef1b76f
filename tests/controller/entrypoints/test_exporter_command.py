"""`aim-gpu exporter` refuses what it cannot use, in one line, and hands on the rest."""

from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from controller.entrypoints.exporter_options import ExporterOptions
from controller.entrypoints.main import command_line
from controller.exporter.engines.reading import ReadingSettings
from controller.exporter.engines.watching import GatewayService


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[ExporterOptions]:
    """The options that the process would run with."""
    found: list[ExporterOptions] = []

    async def run(options: ExporterOptions) -> None:
        found.append(options)

    monkeypatch.setattr("controller.entrypoints.run_exporter.run_exporter", run)
    return found


def exporter(*arguments: str) -> Result:
    try:
        return CliRunner().invoke(command_line("exporter"), ["exporter", "--health-port", "0", *arguments])
    finally:
        structlog.reset_defaults()


def test_without_options_it_is_beside_the_gateway_of_the_manifest(given: list[ExporterOptions]) -> None:
    assert exporter("--metrics-port", "0").exit_code == 0
    assert given == [ExporterOptions(health_port=0, metrics_port=0)]
    assert given[0].gateway == GatewayService("aim-gpu-gateway", "aim-gpu-gateway", tells_all=False)


@pytest.mark.parametrize(
    ("tells", "want"),
    [
        ("services", GatewayService("edge", "llm", tells_all=False)),
        ("all", GatewayService("edge", "llm", tells_all=True)),
        ("nothing", None),
    ],
)
def test_whose_requests_the_gateway_tells_of(
    given: list[ExporterOptions], tells: str, want: GatewayService | None
) -> None:
    assert exporter("--metrics-port", "0", "--gateway-service", "edge/llm", "--gateway-tells", tells).exit_code == 0
    assert given[0].gateway == want


def test_everything_else_is_handed_on(given: list[ExporterOptions], tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.touch()
    told = exporter(
        *("--metrics-port", "0", "--metrics-plain", "--bind-host", "127.0.0.1", "--kubeconfig", "/k"),
        *("--interval-seconds", "2.5", "--keep-seconds", "7", "--engine-ca", str(authority)),
        *(
            "--addresses-file",
            "/addresses",
            "--ports-file",
            "/ports",
            "--otlp-metrics-endpoint",
            "http://collector:4318",
        ),
    )
    assert told.exit_code == 0, told.output
    assert given == [
        ExporterOptions(
            kubeconfig=Path("/k"),
            bind_host="127.0.0.1",
            reading=ReadingSettings(interval_seconds=2.5),
            keep_seconds=7.0,
            addresses=Path("/addresses"),
            engine_ca=authority,
            health_port=0,
            metrics_port=0,
            metrics_plain=True,
            otlp_metrics_endpoint="http://collector:4318",
            ports_file=Path("/ports"),
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        pytest.param(["--gateway-service", "llm"], ["--gateway-service llm", "NAMESPACE/NAME"], id="no namespace"),
        pytest.param(["--gateway-service", "edge/"], ["--gateway-service edge/", "NAMESPACE/NAME"], id="no name"),
        pytest.param(["--gateway-tells", "some"], ["--gateway-tells", "services"], id="no such choice"),
        pytest.param(["--interval-seconds", "0.1"], ["--interval-seconds", "0.5"], id="too often"),
        pytest.param(["--keep-seconds", "-1"], ["--keep-seconds", "0"], id="before the end"),
        pytest.param(["--engine-ca", "/nowhere"], ["--engine-ca", "/nowhere"], id="no authority"),
        pytest.param(["--log-level", "loud"], ["--log-level", "loud"], id="no such level"),
    ],
)
def test_what_cannot_be_used_is_refused(given: list[ExporterOptions], arguments: list[str], wanted: list[str]) -> None:
    told = exporter("--metrics-port", "0", *arguments)
    assert (told.exit_code, given) == (2, [])
    assert [text for text in wanted if text not in told.output] == []


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """One that names an API server which is not there."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {token: t}}]}"
    )
    return kubeconfig


def test_an_authority_that_is_none_is_told_with_the_remedy(kubeconfig: Path, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text("nothing")
    told = exporter("--metrics-port", "0", "--engine-ca", str(authority), "--kubeconfig", str(kubeconfig))
    assert told.exit_code == 2
    assert f"--engine-ca {authority}" in told.output
    assert "give certificates as PEM" in told.output


def test_a_collector_that_is_no_url_is_told_with_the_remedy(kubeconfig: Path) -> None:
    told = exporter("--metrics-port", "0", "--otlp-metrics-endpoint", "nonsense", "--kubeconfig", str(kubeconfig))
    assert told.exit_code == 2
    assert "--otlp-metrics-endpoint" in told.output
    assert "give a URL" in told.output
