"""A wrong option ends either process at once: exit code 2, and a line with field, value and remedy."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from controller.agent.amdsmi_library import AmdsmiUnavailable
from controller.agent.backend import PartitionBackend
from controller.entrypoints.main import command_line

FREE = ("--health-port", "0", "--metrics-port", "0", "--bind-host", "127.0.0.1")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """The commands set logs up for a stderr that is gone with their runner."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """One that names an API server which is not there."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {token: t}}]}"
    )
    return path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def operator(kubeconfig: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        command_line(), ["operator", "--kubeconfig", str(kubeconfig), "--webhook-port", "0", *FREE, *arguments]
    )


def agent(tokens: Path, *arguments: str) -> Result:
    where = ["--tokens-dir", str(tokens), "--server", "http://127.0.0.1:1", "--node", "node-0=CPX/NPS4"]
    return CliRunner().invoke(command_line(), ["agent", *where, *FREE, *arguments])


def refused(result: Result) -> str:
    """What was said; the parser draws a box around its own words."""
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert "Traceback" not in result.output
    return re.sub(r"[\s│╭╮╰╯─]+", " ", result.output)


OPERATOR = [
    pytest.param(["--otlp-endpoint", "nonsense"], ["--otlp-endpoint", "'nonsense'", "give a URL"], id="no tracing URL"),
    pytest.param(
        ["--otlp-metrics-endpoint", "nonsense"],
        ["--otlp-metrics-endpoint", "'nonsense'", "give a URL"],
        id="no URL for metrics",
    ),
    pytest.param(
        ["--webhook-port", "70000"], ["--webhook-port", "less than or equal to 65535"], id="webhook port too high"
    ),
    pytest.param(["--debug-port", "-5"], ["--debug-port", "greater than or equal to 1"], id="debug port below any"),
    pytest.param(["--debug-port", "65536"], ["--debug-port", "less than or equal to 65535"], id="debug port too high"),
    pytest.param(["--webhook-url", "ftp://x"], ["--webhook-url 'ftp://x'", "https only"], id="webhook over ftp"),
    pytest.param(["--webhook-url", "127.0.0.1:44801"], ["'127.0.0.1:44801'", "https://HOST:PORT"], id="no scheme"),
    pytest.param(["--webhook-host", "https://x"], ["--webhook-host 'https://x'", "give a name"], id="URL for a host"),
    pytest.param(["--kubeconfig", "/nowhere"], ["/nowhere", "give a kubeconfig"], id="no kubeconfig"),
    pytest.param(["--certificates", "none"], ["--certificates", "'none'", "cert-manager"], id="no such mode"),
    pytest.param(
        ["--certificate-lifetime", "100", "--authority-lifetime", "300"],
        ["--authority-lifetime 300", "at least three leaf lifetimes"],
        id="authority too short",
    ),
    pytest.param(["--certificate-lifetime", "0"], ["--certificate-lifetime 0", "positive"], id="no lifetime"),
    pytest.param(["--renew-deadline", "99"], ["renew", "99"], id="deadline after the lease"),
]
BOTH = [
    pytest.param(["--log-level", "loud"], ["--log-level", "'loud'", "use debug, info"], id="log level"),
    pytest.param(["--health-port", "-1"], ["--health-port", "greater than or equal to 0"], id="health port below any"),
    pytest.param(
        ["--metrics-port", "70000"], ["--metrics-port", "less than or equal to 65535"], id="metrics port too high"
    ),
    pytest.param(["--health-port", "1", "--bind-host", "192.0.2.1"], ["'192.0.2.1'", "--bind-host"], id="not our host"),
]


@pytest.mark.parametrize(("arguments", "wanted"), OPERATOR + BOTH)
def test_the_operator_refuses(kubeconfig: Path, arguments: list[str], wanted: list[str]) -> None:
    said = refused(operator(kubeconfig, *arguments))
    assert [text for text in wanted if text not in said] == [], said


AGENT = [
    pytest.param(["--server", "nonsense"], ["server 'nonsense'", "https://"], id="no server URL"),
    pytest.param(["--backend", "rocm"], ["--backend", "'rocm'", "amdsmi"], id="no such backend"),
    pytest.param(["--backend", "auto"], ["--node: nodes of real GPUs (auto)", "--node-name"], id="made up, real"),
    pytest.param(["--node-name", "a"], ["--node-name a", "--node a=CPX/NPS4"], id="own node, simulated"),
    pytest.param(["--product", "MI999"], ["'MI999' is not a known product", "MI300X"], id="no such product"),
    pytest.param(["--product", "MI300A"], ["node 'node-0'", "CPX/NPS4", "use one of"], id="mode of another product"),
    pytest.param(["--gpus", "9"], ["--gpus", "less than or equal to 8"], id="more GPUs than a server has"),
    pytest.param(["--faults", "/nowhere"], ["--faults", "/nowhere", "does not exist"], id="no script"),
    pytest.param(["--sysfs-root", "/"], ["--sysfs-root /", "simulated GPUs have none"], id="files of simulated GPUs"),
    pytest.param(["--kubeconfig", "/k"], ["--kubeconfig names a server too"], id="two servers"),
    pytest.param(["--kubelet-plugin", "csi"], ["--kubelet-plugin", "'csi'", "device-plugin"], id="no such plugin"),
    pytest.param(["--cdi-dir", "/cdi"], ["--cdi-dir /cdi", "goes with --kubelet-plugin dra"], id="CDI for nobody"),
    pytest.param(
        ["--kubelet-plugin", "dra", "--nodes", "1"],
        ["--kubelet-root", "put {node} into it"],
        id="two nodes, one kubelet",
    ),
    pytest.param(["--nodes", "-1"], ["--nodes", "greater than or equal to 0"], id="fewer nodes than none"),
    pytest.param(["--mode", "CPX", "--nodes", "1"], ["--mode: mode 'CPX'", "such as CPX/NPS4"], id="half a mode"),
]


@pytest.mark.parametrize(("arguments", "wanted"), BOTH + AGENT)
def test_the_agent_refuses(tmp_path: Path, arguments: list[str], wanted: list[str]) -> None:
    said = refused(agent(tmp_path, *arguments))
    assert [text for text in wanted if text not in said] == [], said


def test_a_script_of_faults_that_cannot_be_played_is_named(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('{"faults": [{"fault": "Boredom"}]}')
    said = refused(agent(tmp_path, "--faults", str(script)))
    assert "--faults:" in said
    assert "Boredom" in said


def test_a_script_of_faults_for_another_node_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('{"faults": [{"fault": "Busy", "node": "elsewhere"}]}')
    said = refused(agent(tmp_path, "--faults", str(script)))
    assert "--faults: faults[0]: Busy: node 'elsewhere': is not simulated here; use one of" in " ".join(said.split())


@pytest.mark.parametrize("option", ["--product", "--state-dir"])
def test_options_of_simulated_gpus_are_refused_with_real_ones(tmp_path: Path, option: str) -> None:
    where = ["--server", "http://127.0.0.1:1", "--token-file", str(tmp_path / "t"), "--node-name", "node-0"]
    said = refused(CliRunner().invoke(command_line(), ["agent", *where, *FREE, "--backend", "sysfs", option, "x"]))
    assert f"{option} x: is of simulated GPUs, and the backend is sysfs" in said


def test_amd_smi_asked_for_on_a_host_without_it_ends_the_agent_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(root: Path) -> PartitionBackend:
        raise AmdsmiUnavailable("AMD SMI cannot be loaded: install ROCm's amd-smi-lib")

    monkeypatch.setattr("controller.agent.amdsmi_backend.open_amdsmi", unavailable)
    where = ["--server", "http://127.0.0.1:1", "--token-file", str(tmp_path / "t"), "--node-name", "node-0"]
    said = refused(CliRunner().invoke(command_line(), ["agent", *where, *FREE, "--backend", "amdsmi"]))
    assert "--backend amdsmi: AMD SMI cannot be loaded: install ROCm's amd-smi-lib; or use auto or sysfs" in said


@pytest.mark.parametrize("option", ["--webhook-port", "--health-port", "--metrics-port", "--debug-port"])
def test_a_taken_port_of_the_operator_is_named_in_one_line(kubeconfig: Path, taken: int, option: str) -> None:
    said = operator(kubeconfig, option, str(taken))
    assert f"{option} {taken}: cannot listen on '127.0.0.1' (Address already in use)" in refused(said)
    assert len(said.output.splitlines()) == 1


@pytest.mark.parametrize("option", ["--health-port", "--metrics-port"])
def test_a_taken_port_of_the_agent_is_named_in_one_line(tmp_path: Path, taken: int, option: str) -> None:
    said = agent(tmp_path, option, str(taken))
    assert f"{option} {taken}: cannot listen on '127.0.0.1' (Address already in use)" in refused(said)
    assert len(said.output.splitlines()) == 1


def test_one_port_for_two_servers_is_refused(kubeconfig: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    said = refused(operator(kubeconfig, "--health-port", port, "--metrics-port", port))
    assert f"--metrics-port {port}: cannot listen" in said
