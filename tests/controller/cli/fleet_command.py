"""The whole command before a fleet, as a person at a shell has it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from controller.entrypoints.main import command_line
from tests.controller.cli.conftest import KUBECONFIG
from tests.controller.cli.fleet_scene import FleetServer

Ask = Callable[..., Awaitable[Result]]


def asking(server: FleetServer, folder: Path) -> Ask:
    """Runs a verb with arguments in a thread; `answer` is typed at the question."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(current="fake", url=server.url))

    async def ask(verb: str, *arguments: str, answer: str | None = None) -> Result:
        given = [verb, *arguments, "--kubeconfig", str(kubeconfig)]
        return await asyncio.to_thread(CliRunner().invoke, command_line(verb), given, answer)

    return ask
