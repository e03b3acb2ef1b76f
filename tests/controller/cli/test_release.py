"""`aim-gpu release` before a fake API server: what people and programs are told, and that looking changes nothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from controller.cli.release_steps import OPERATOR
from controller.runtime.client.core import DEPLOYMENTS, PODS
from tests.controller.cli.fleet_command import Ask, asking
from tests.controller.cli.fleet_scene import FleetServer

NAMESPACE = "aim-gpu-system"
SCALED = f"Deployment {NAMESPACE}/{OPERATOR} scaled to 0"


class DryRunServer(FleetServer):
    """Stores nothing of what is asked as a dry run."""

    async def perform(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("dryRun") and {DEPLOYMENTS.plural, PODS.plural} & set(request.path.split("/")):
            return web.json_response({})
        return await super().perform(request)


@pytest.fixture
async def server() -> AsyncIterator[FleetServer]:
    api = DryRunServer()
    api.put(DEPLOYMENTS, {"metadata": {"name": OPERATOR, "namespace": NAMESPACE}, "spec": {"replicas": 1}})
    async with api:
        yield api


@pytest.fixture
def ask(server: FleetServer, tmp_path: Path) -> Ask:
    return asking(server, tmp_path)


def replicas(server: FleetServer) -> Any:
    return server.objects(DEPLOYMENTS)[f"{NAMESPACE}/{OPERATOR}"]["spec"]["replicas"]


def changes(server: FleetServer) -> list[str]:
    """Writes that are no dry runs."""
    return [seen.method for seen in server.seen if seen.method != "GET" and seen.query.get("dryRun") != "All"]


async def test_a_program_that_did_not_say_yes_is_shown_what_would_be(server: FleetServer, ask: Ask) -> None:
    told = await ask("release", "--all", "-o", "json")
    assert told.exit_code == 3, told.stderr
    found = json.loads(told.stdout)
    assert (found["done"], SCALED in found["steps"]) == (False, True)
    assert f"would be: {SCALED}" in told.stderr
    assert "nothing was done" in told.stderr
    assert (changes(server), replicas(server)) == ([], 1)


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
async def test_a_dry_run_for_programs_is_an_answer(server: FleetServer, ask: Ask, form: str, read: Any) -> None:
    told = await ask("release", "--all", "--dry-run", "-o", form)
    assert told.exit_code == 0, told.stderr
    assert SCALED in read(told.stdout)["steps"]
    assert changes(server) == []


async def test_people_get_the_same_lines(ask: Ask) -> None:
    steps = json.loads((await ask("release", "--all", "--dry-run", "-o", "json")).stdout)["steps"]
    told = await ask("release", "--all", "--dry-run")
    assert told.stdout.splitlines() == [f"would be: {line}" for line in steps]


async def test_done_it_tells_a_program_what_was_done(server: FleetServer, ask: Ask) -> None:
    told = await ask("release", "--all", "--yes", "-o", "json")
    assert told.exit_code == 0, told.stderr
    found = json.loads(told.stdout)
    assert (found["done"], SCALED in found["steps"], replicas(server)) == (True, True, 0)
    again = json.loads((await ask("release", "--all", "--yes", "-o", "json")).stdout)
    assert SCALED not in again["steps"]
