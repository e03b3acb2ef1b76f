"""The examples in the packages' docstrings run as they stand."""

import ast
import asyncio
import doctest
import importlib
import inspect
import textwrap
from pathlib import Path

import pytest

from controller import runtime
from controller.runtime.client.core import PODS
from tests.controller.runtime.conftest import Eventually
from tests.fakes.api_server import FakeApiServer

KUBECONFIG = """
current-context: c
contexts: [{{name: c, context: {{cluster: k, user: u}}}}]
clusters: [{{name: k, cluster: {{server: "{server}"}}}}]
users: [{{name: u, user: {{token: t}}}}]
"""


@pytest.mark.parametrize("package", ["cache", "certs", "client", "webhook", "workqueue"])
def test_doctests(package: str) -> None:
    result = doctest.testmod(importlib.import_module(f"controller.runtime.{package}"))
    assert result.attempted > 0
    assert result.failed == 0


def _program() -> str:
    doc = inspect.getdoc(runtime) or ""
    _, _, indented = doc.partition("at hand):\n")
    return textwrap.dedent(indented)


async def test_the_controller_in_the_rooms_docstring(
    api: FakeApiServer,
    eventually: Eventually,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    _write(kubeconfig, KUBECONFIG.format(server=api.url))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    api.put(PODS, {"metadata": {"namespace": "ns", "name": "a"}, "status": {"phase": "Running"}})
    program = ast.parse(_program())
    assert ast.unparse(program.body.pop()) == "asyncio.run(main())"
    names: dict[str, object] = {}
    exec(compile(program, "example", "exec"), names)
    printed = ""

    def seen(text: str) -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return text in printed

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(names["main"]())  # type: ignore[operator]
        await eventually(lambda: seen("ns/a Running"))
        api.remove(PODS, "ns/a")
        await eventually(lambda: seen("ns/a is gone"))
        running.cancel()


def _write(path: Path, text: str) -> None:
    path.write_text(text)
