"""What the gateway becomes, and what it leaves behind for that."""

import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from controller.entrypoints.gateway_image import options_of, options_text
from controller.entrypoints.gateway_options import GatewayOptions
from controller.gateway.configuration import Limits

FULL = GatewayOptions(
    kubeconfig=Path("/a folder/config"),
    tls_dir=Path("/tls"),
    key_namespaces=("team-a", "*"),
    audience=None,
    hosts={"models.example": "team-a"},
    limits=Limits(body_bytes=5),
    drain_seconds=2.5,
    shards=True,
)


@pytest.mark.parametrize("options", [GatewayOptions(), FULL], ids=["defaults", "others"])
def test_options_arrive_as_they_were_read(options: GatewayOptions) -> None:
    assert options_of(options_text(options)) == options


def test_what_is_no_option_is_not_taken_for_one() -> None:
    with pytest.raises(msgspec.ValidationError):
        options_of('{"port": "none"}')


def test_it_carries_nothing_that_only_command_lines_or_certificates_need() -> None:
    program = (
        "import sys; from controller.entrypoints import gateway_image\n"
        "sys.argv = ['x', 'info', gateway_image.options_text(gateway_image.GatewayOptions())]\n"
        "async def found(options): print(*sys.modules)\n"
        "import controller.entrypoints.gateway_image as image\n"
        "sys.modules['rich'] = None\n"
        "import controller.entrypoints.run_gateway as run\n"
        "run.run_gateway = found\n"
        "image.main()"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "controller.gateway.gateway" in loaded
    assert not {"typer", "pydantic", "rich.console", "cryptography", "yaml", "numpy", "controller.sizing"} & set(loaded)


def test_a_kubeconfig_that_cannot_be_read_ends_it_with_the_reason(tmp_path: Path) -> None:
    options = GatewayOptions(kubeconfig=tmp_path / "nowhere")
    command = [sys.executable, "-m", "controller.entrypoints.gateway_image", "info", options_text(options)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param([], "--tls-dir: give the folder of a certificate, or --insecure-http", id="neither TLS nor not"),
        pytest.param(["--tls-dir", "/x", "--insecure-http"], "one of the two", id="both"),
        pytest.param(
            ["--insecure-http", "--host", "a.example"], "--host a.example: is no HOST=NAMESPACE", id="no host"
        ),
        pytest.param(["--tls-dir", "{folder}", "--kubeconfig", "{kubeconfig}"], "--tls-dir: {folder}", id="no files"),
        pytest.param(["--insecure-http", "--kubeconfig", "/nowhere"], "/nowhere", id="no kubeconfig"),
        pytest.param(["--insecure-http", "--log-level", "loud"], "--log-level: log level: 'loud'", id="no log level"),
        pytest.param(["--insecure-http", "--health-port", "{taken}"], "--health-port {taken}: cannot", id="port taken"),
    ],
)
def test_a_wrong_option_is_told_at_once(tmp_path: Path, arguments: list[str], want: str) -> None:
    # in a process of its own: what is not refused replaces the one that asked
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {token: t}}]}"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        names = {"folder": tmp_path, "kubeconfig": kubeconfig, "taken": server.getsockname()[1]}
        given = [word.format(**names) for word in arguments]
        program = str(Path(sys.executable).with_name("aim-gpu"))
        free = ["--bind-host", "127.0.0.1", "--port", "0", "--metrics-port", "0", "--health-port", "0"]
        told = subprocess.run(
            [program, "gateway", *free, *given], capture_output=True, text=True, timeout=30, check=False
        )
    assert told.returncode == 2, told.stderr
    assert told.stderr.splitlines()[-1].startswith("error: ")
    assert want.format(**names) in told.stderr.splitlines()[-1]
    assert "Traceback" not in told.stderr
