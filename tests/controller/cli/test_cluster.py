"""How a verb reaches a cluster, and what people read when it does not."""

import asyncio
from pathlib import Path

import pytest

from controller.state.kinds import REPARTITION_PLANS
from tests.builders.plan import plan
from tests.controller.cli.conftest import Command
from tests.fakes.api_server import FakeApiServer


async def test_a_context_can_be_named(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Applying"))
    assert (await command("rollback", "p", "--yes", "--context", "fake")).exit_code == 0
    gone = await command("rollback", "p", "--yes", "--context", "gone")
    assert gone.exit_code == 1
    assert "cannot take plan p back: http://127.0.0.1:1 does not answer" in gone.stderr


async def test_an_unknown_context_is_bad_input(command: Command) -> None:
    done = await command("rollback", "p", "--context", "nowhere")
    assert done.exit_code == 2
    assert "no entry 'nowhere' in contexts" in done.stderr


async def test_a_kubeconfig_that_is_not_there_is_bad_input(command: Command, kubeconfig: Path) -> None:
    await asyncio.to_thread(kubeconfig.unlink)
    done = await command("approve", "p")
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr


async def test_who_is_not_known_is_told_by_what(api: FakeApiServer, command: Command) -> None:
    api.token = "another"
    done = await command("approve", "p")
    assert done.exit_code == 1
    assert "does not take the token in" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("verb", ["approve", "rollback"])
async def test_a_plan_must_be_named(command: Command, verb: str) -> None:
    assert (await command(verb)).exit_code == 2
