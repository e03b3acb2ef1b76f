"""`aim-gpu plan --cluster` before a fake API server: what scripts are told, and what is not planned for."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli.exit_codes import ExitCode
from tests.controller.cli.fleet_command import Ask, asking
from tests.controller.cli.fleet_scene import FleetServer

SMALL, HUGE = "Qwen/Qwen3-4B", "deepseek-ai/DeepSeek-V3"
SHARED: dict[str, Any] = {"gpuSharing": {"isolation": "cooperative", "shareGroup": "pair"}}


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Ask]:
    server = FleetServer()
    async with server:
        yield asking(server, tmp_path)


def service(name: str, model: str = SMALL, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team-a"}
    spec = {"model": {"id": model}} | spec
    return {"apiVersion": "aim.amd.com/v1beta1", "kind": "InferenceService", "metadata": metadata, "spec": spec}


def files(folder: Path, *objects: dict[str, Any]) -> str:
    path = folder / "given.yaml"
    path.write_text("\n---\n".join(map(json.dumps, objects)))
    return str(path)


async def test_who_waits_ends_with_a_code_of_its_own_where_it_is_asked_for(ask: Ask, tmp_path: Path) -> None:
    given = files(tmp_path, service("new"), service("giant", HUGE))
    usual, asked = await ask("plan", "-f", given), await ask("plan", "-f", given, "--require-placed")
    assert (usual.exit_code, asked.exit_code) == (0, ExitCode.WOULD_WAIT), usual.stderr
    assert asked.stdout == usual.stdout
    assert asked.stderr.endswith("error: --require-placed: pods of team-a/giant would wait\n")
    placed = await ask("plan", "-f", files(tmp_path, service("new")), "--require-placed")
    assert placed.exit_code == 0, placed.stderr


async def test_files_that_ask_for_nothing_are_refused(ask: Ask, tmp_path: Path) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    told = await ask("plan", "-f", files(tmp_path, config))
    assert (told.exit_code, told.stdout) == (2, "")
    assert "error: nothing in these files asks for a GPU" in told.stderr


async def test_a_policy_alone_is_planned_for_others_that_wait(ask: Ask, tmp_path: Path) -> None:
    policy = {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUSharingPolicy", "metadata": {"name": "everywhere"}}
    given = files(tmp_path, policy | {"spec": {"nodeSelector": {}}})
    told = await ask("plan", "-f", given)
    assert told.exit_code == 0, told.stderr
    assert "0 pods to place" in told.stderr
    assert (await ask("plan", "-f", given, "--require-placed")).exit_code == 2


async def test_share_groups_are_skipped_and_never_said_to_have_a_place(ask: Ask, tmp_path: Path) -> None:
    both = files(tmp_path, service("new"), service("shared", **SHARED))
    told = await ask("plan", "-f", both)
    assert told.exit_code == 0, told.stderr
    assert "team-a/shared is of a share group, for which --cluster says nothing yet: skipped" in told.stderr
    want = "error: --cluster says nothing yet for share groups, which team-a/shared ask for; plan them on paper"
    for refused in (
        await ask("plan", "-f", both, "--require-placed"),
        await ask("plan", "-f", files(tmp_path, service("shared", **SHARED))),
    ):
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert refused.stderr.startswith(want)
