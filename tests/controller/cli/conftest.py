"""A fake API server and the command before it, as a person at a shell has them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from controller.cli.approve import approve
from controller.cli.rollback import rollback
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS
from tests.controller.cli.plan_files import Write
from tests.fakes.api_server import FakeApiServer

Command = Callable[..., Awaitable[Result]]

KUBECONFIG = """
current-context: {current}
contexts: [{{name: fake, context: {{cluster: fake, user: me}}}}, {{name: gone, context: {{cluster: gone, user: me}}}}]
clusters: [{{name: fake, cluster: {{server: "{url}"}}}}, {{name: gone, cluster: {{server: "http://127.0.0.1:1"}}}}]
users: [{{name: me, user: {{token: secret}}}}]
"""


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        server.serve(REPARTITION_PLANS)
        server.serve(GPU_NODES)
        yield server


@pytest.fixture
def kubeconfig(api: FakeApiServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(current="fake", url=api.url))
    return path


@pytest.fixture
def command(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `approve` or `rollback` with arguments in a thread; `answer` None: there is no terminal."""
    app = typer.Typer()
    app.command()(approve)
    app.command()(rollback)

    async def run(*arguments: str, answer: str | None = None) -> Result:
        monkeypatch.setattr("controller.cli.cluster.at_terminal", lambda: answer is not None)
        given = [*arguments, "--kubeconfig", str(kubeconfig)]
        return await asyncio.to_thread(CliRunner().invoke, app, given, answer)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes objects, or a text, to a file and gives its path."""

    def written(*contents: Any, name: str = "given.yaml") -> Path:
        path = tmp_path / name
        text = contents[0] if isinstance(contents[0], str) else "\n---\n".join(map(json.dumps, contents))
        path.write_text(text, encoding="utf-8")
        return path

    return written
