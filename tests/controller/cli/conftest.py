"""A fake API server and the command before it, as a person at a shell has them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from controller.cli.approve import approve
from controller.cli.rollback import rollback
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS
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
