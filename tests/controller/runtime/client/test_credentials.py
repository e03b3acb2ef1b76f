"""Tokens are fresh enough, and a refused one is read again."""

import stat
import sys
from pathlib import Path

import pytest
import yaml

from controller.runtime.client.configuration import ConfigurationError, PluginCredentials
from controller.runtime.client.credentials import FileToken, PluginToken
from tests.fakes.clock import FakeClock


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("one\n")
    return path


def rotate(path: Path, token: str) -> None:
    path.write_text(token)


def remove(path: Path) -> None:
    path.unlink()


async def test_a_file_is_read_again_after_a_minute(token_file: Path) -> None:
    clock = FakeClock()
    source = FileToken(token_file, clock)
    assert await source.token() == "one"
    rotate(token_file, "two")
    clock.tick(59)
    assert await source.token() == "one"
    clock.tick(1)
    assert await source.token() == "two"


async def test_a_refused_token_is_read_at_once(token_file: Path) -> None:
    source = FileToken(token_file, FakeClock())
    await source.token()
    rotate(token_file, "two")
    assert source.refused()
    assert await source.token() == "two"


async def test_a_file_that_vanishes_leaves_the_last_token(token_file: Path) -> None:
    clock = FakeClock()
    source = FileToken(token_file, clock)
    await source.token()
    remove(token_file)
    clock.tick(100)
    assert await source.token() == "one"


async def test_a_file_that_never_was_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=str(tmp_path / "none")):
        await FileToken(tmp_path / "none", FakeClock()).token()


def _plugin(tmp_path: Path, script: str) -> PluginCredentials:
    program = tmp_path / "plugin"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    kubeconfig = tmp_path / "kubeconfig"
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://a"}}],
        "users": [{"name": "u", "user": {"exec": run}}],
    }
    kubeconfig.write_text(yaml.safe_dump(document))
    return PluginCredentials(kubeconfig, "c")


COUNTING = """
import json, pathlib
count = pathlib.Path(__file__).with_name("count")
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": f"t{number}"}}))
"""


async def test_an_exec_plugin_runs_once_in_five_minutes(tmp_path: Path) -> None:
    clock = FakeClock()
    source = PluginToken(_plugin(tmp_path, COUNTING), clock)
    assert [await source.token(), await source.token()] == ["t1", "t1"]
    clock.tick(300)
    assert await source.token() == "t2"
    assert source.refused()
    assert await source.token() == "t3"


async def test_a_plugin_that_fails_is_named(tmp_path: Path) -> None:
    source = PluginToken(_plugin(tmp_path, "raise SystemExit(3)"), FakeClock())
    with pytest.raises(ConfigurationError, match="credential plugin"):
        await source.token()
