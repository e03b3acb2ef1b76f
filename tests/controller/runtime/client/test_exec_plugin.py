"""Credential plugins: what they are told, what they print, and texts for what they do instead."""

import asyncio
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from controller.runtime.client import exec_plugin
from controller.runtime.client.configuration import ConfigurationError, ExecPlugin
from controller.runtime.client.exec_plugin import run_plugin

VERSION = "client.authentication.k8s.io/v1"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "plugin"


def write(program: Path, script: str) -> ExecPlugin:
    """A plugin that runs `script`."""
    program.write_text(f"#!{sys.executable}\nimport os, sys\n{script}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return ExecPlugin(VERSION, str(program), ("--of", "x"), (("WHO", "me"),), {"server": "https://a"}, "Install it.")


def read_pid(path: Path) -> int:
    return int(path.read_text())


def printing(program: Path, status: dict[str, Any], version: str = VERSION) -> ExecPlugin:
    document = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    return write(program, f"print({orjson.dumps(document).decode()!r})")


async def test_a_token_and_its_end(program: Path) -> None:
    status = {"token": "t", "expirationTimestamp": "2026-01-01T00:00:00Z"}
    found = await run_plugin(printing(program, status))
    assert (found.token, found.certificate) == ("t", None)
    assert found.expires_at == datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_certificate_instead_of_a_token(program: Path) -> None:
    found = await run_plugin(printing(program, {"clientCertificateData": "CERT", "clientKeyData": "KEY"}))
    assert found.token is None
    assert found.certificate is not None
    assert (found.certificate.chain_pem, found.certificate.key_pem) == (b"CERT", b"KEY")
    assert "KEY" not in repr(found)


async def test_it_is_told_the_version_and_the_cluster_and_keeps_our_environment(program: Path) -> None:
    script = """
info = os.environ["KUBERNETES_EXEC_INFO"]
said = [info, os.environ["WHO"], "PATH" in os.environ, sys.argv[1:], sys.stdin.read()]
import json
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": json.dumps(said)}}))
"""
    found = await run_plugin(write(program, script))
    info, who, has_path, arguments, read = orjson.loads(found.token or "")
    assert orjson.loads(info) == {
        "apiVersion": VERSION,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": "https://a"}},
    }
    assert (who, has_path, arguments, read) == ("me", True, ["--of", "x"], "")


@pytest.mark.parametrize(
    ("script", "want"),
    [
        pytest.param("sys.exit('no session')", "ended with 1: no session", id="it fails"),
        pytest.param("print('hello')", "no JSON", id="it prints text"),
        pytest.param("print('[]')", "no ExecCredential", id="it prints something else"),
    ],
)
async def test_what_it_does_instead_is_told(program: Path, script: str, want: str) -> None:
    with pytest.raises(ConfigurationError, match=want) as caught:
        await run_plugin(write(program, script))
    assert str(program) in str(caught.value)


@pytest.mark.parametrize(
    ("status", "version", "want"),
    [
        pytest.param({}, VERSION, "no token and no certificate", id="nothing"),
        pytest.param({"clientKeyData": "K"}, VERSION, "without its key, or", id="half a certificate"),
        pytest.param({"token": "t"}, "client.authentication.k8s.io/v1beta1", "asked was", id="another version"),
        pytest.param({"token": "t", "expirationTimestamp": "soon"}, VERSION, "'soon'", id="an end that is no time"),
    ],
)
async def test_answers_that_are_none(program: Path, status: dict[str, Any], version: str, want: str) -> None:
    with pytest.raises(ConfigurationError, match=want):
        await run_plugin(printing(program, status, version))


async def test_a_program_that_is_not_there_comes_with_its_hint(program: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be started.*Install it\."):
        await run_plugin(ExecPlugin(VERSION, str(program), install_hint="Install it."))


async def test_one_that_hangs_is_ended(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "_LONGEST_RUN_SECONDS", 1.0)
    noted = program.with_name("pid")
    plugin = ExecPlugin(VERSION, "/bin/sh", ("-c", f"echo $$ > {noted}; exec sleep 60"))
    with pytest.raises(ConfigurationError, match="said nothing within 1 s"):
        await run_plugin(plugin)
    assert not psutil.pid_exists(read_pid(noted))


async def test_a_long_complaint_does_not_block_it(program: Path) -> None:
    plugin = write(program, "sys.stderr.write('x' * 1_000_000)\nsys.exit(3)")
    async with asyncio.timeout(20):
        with pytest.raises(ConfigurationError, match="ended with 3: xxx"):
            await run_plugin(plugin)
