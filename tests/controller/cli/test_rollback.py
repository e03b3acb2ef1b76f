"""`aim-gpu rollback`: plans under way are stopped, for those that succeeded a plan the other way is made."""

import json
from typing import Any

import pytest

from controller.cli.reverse_plan import MOST_TRIES, reverse_names
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan
from tests.controller.cli.conftest import Command
from tests.controller.cli.test_approve import written_meanwhile
from tests.fakes.api_server import FakeApiServer


def spec_of(api: FakeApiServer, name: str = "p") -> dict[str, Any]:
    found: dict[str, Any] = api.objects(REPARTITION_PLANS)[name]["spec"]
    return found


def names(api: FakeApiServer) -> set[str]:
    return set(api.objects(REPARTITION_PLANS))


@pytest.mark.parametrize(
    ("phase", "want"),
    [
        pytest.param("AwaitingApproval", "no GPU was changed", id="not begun"),
        pytest.param("Draining", "no GPU was changed", id="pods move"),
        pytest.param("Applying", "its GPUs go back", id="GPUs change"),
        pytest.param("Reloading", "its GPUs go back", id="the driver is reloaded"),
    ],
)
async def test_a_plan_under_way_is_told_to_go_back(api: FakeApiServer, command: Command, phase: str, want: str) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase=phase))
    done = await command("rollback", "p", answer="y\n")
    assert done.exit_code == 0, done.stderr
    assert f"Stop plan p, which is {phase}, and take it back?" in done.stderr
    assert f"plan p is stopped; {want}" in done.stderr
    assert spec_of(api)["rollback"] is True


async def test_a_plan_that_only_moved_pods_is_not_taken_back(api: FakeApiServer, command: Command) -> None:
    moved = plan("p", phase="Succeeded")
    moved["spec"] |= {"to": moved["spec"]["from"], "gain": {"gpus": 1}}
    api.put(REPARTITION_PLANS, moved)
    done = await command("rollback", "p")
    assert (done.exit_code, names(api)) == (2, {"p"})
    assert "moved pods and changed no mode" in done.stderr


async def test_a_no_lets_it_go_on(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Applying"))
    done = await command("rollback", "p", answer="n\n")
    assert (done.exit_code, "rollback" in spec_of(api)) == (1, False)


async def test_without_a_terminal_nobody_is_asked(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Applying"))
    done = await command("rollback", "p")
    assert (done.exit_code, "rollback" in spec_of(api)) == (2, False)


async def test_a_plan_that_goes_back_already_is_left_to_it(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="RollingBack"))
    done = await command("rollback", "p")
    assert (done.exit_code, api.count("PATCH")) == (0, 0)
    assert "is being taken back already" in done.stderr


async def test_a_status_that_is_written_meanwhile_is_no_obstacle(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Draining"))
    api.play(written_meanwhile(api, message="waits"), on="PATCH")
    assert (await command("rollback", "p", "--yes")).exit_code == 0
    assert spec_of(api)["rollback"] is True


async def test_a_plan_that_ends_meanwhile_is_not_stopped(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Verifying"))
    api.play(written_meanwhile(api, phase="RolledBack"), on="PATCH")
    done = await command("rollback", "p", "--yes")
    assert (done.exit_code, "rollback" in spec_of(api)) == (1, False)
    assert "plan p has ended (RolledBack)" in done.stderr


async def test_after_a_success_a_plan_the_other_way_is_made_and_named(api: FakeApiServer, command: Command) -> None:
    made = plan("p", phase="Succeeded", claim_uid="uid-a")
    made["spec"]["policyRef"] = "shared"
    api.put(REPARTITION_PLANS, made)
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "CPX/NPS1")))
    done = await command("rollback", "p", answer="y\n")
    assert done.exit_code == 0, done.stderr
    assert "Change node worker-0 back to what it was before plan p?" in done.stderr
    assert "plan p-back takes p back, once windows, budgets and the node's rest allow it" in done.stderr
    forward = spec_of(api)
    assert spec_of(api, "p-back") == {
        "node": "worker-0",
        "from": forward["to"],
        "to": forward["from"],
        "reason": "takes back plan p",
        "approval": "Manual",
        "approved": True,
        "dryRun": False,
        "rollback": False,
    }


async def test_programs_learn_its_name(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Succeeded"))
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "CPX/NPS1")))
    done = await command("rollback", "p", "--yes", "-o", "json")
    told = json.loads(done.stdout)
    assert (told["plan"], told["takesBack"], told["takenBack"], told["phase"]) == ("p-back", "p", True, "Pending")
    assert told["gpus"] == [{"bdf": bdf(0), "from": "CPX/NPS1", "to": "SPX/NPS1"}]


async def test_programs_may_look_before_they_say_yes(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Succeeded"))
    api.put(REPARTITION_PLANS, plan("q", phase="Applying"))
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "CPX/NPS1")))
    ended, running = [await command("rollback", name, "-o", "json") for name in ("p", "q")]
    assert (ended.exit_code, running.exit_code, names(api), api.count("PATCH")) == (3, 3, {"p", "q"}, 0)
    told = json.loads(ended.stdout)
    assert (told["plan"], told["takenBack"], told["partitionsInUse"]) == ("p-back", False, 0)
    assert (json.loads(running.stdout)["plan"], json.loads(running.stdout)["takenBack"]) == ("q", False)


async def test_partitions_in_use_are_counted_before_the_question(api: FakeApiServer, command: Command) -> None:
    node = gpu_node("worker-0", gpu(0, "CPX/NPS1"), gpu(1))
    for partition in (*node["status"]["gpus"][0]["partitions"][:2], node["status"]["gpus"][1]["partitions"][0]):
        partition["holder"] = "ours"
    api.put(REPARTITION_PLANS, plan("p", phase="Succeeded"))
    api.put(GPU_NODES, node)
    done = await command("rollback", "p", answer="n\n")
    assert (done.exit_code, names(api)) == (1, {"p"})
    assert "2 partitions of these GPUs are in use: the pods there have to move first" in done.stderr


async def test_a_plan_is_taken_back_once(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Succeeded"))
    api.put(REPARTITION_PLANS, plan("p-back", phase="Draining"))
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "CPX/NPS1")))
    done = await command("rollback", "p", "--yes")
    assert (done.exit_code, names(api)) == (0, {"p", "p-back"})
    assert "plan p-back takes p back already" in done.stderr


async def test_one_that_failed_to_take_it_back_may_be_followed_by_another(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, plan("p", phase="Succeeded"))
    api.put(REPARTITION_PLANS, plan("p-back", phase="Failed"))
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "CPX/NPS1")))
    assert (await command("rollback", "p", "--yes")).exit_code == 0
    assert names(api) == {"p", "p-back", "p-back-2"}


async def test_not_for_ever(api: FakeApiServer, command: Command) -> None:
    for name in ("p", *reverse_names("p")):
        api.put(REPARTITION_PLANS, plan(name, phase="Succeeded" if name == "p" else "Failed"))
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "CPX/NPS1")))
    done = await command("rollback", "p", "--yes")
    assert (done.exit_code, len(names(api))) == (1, MOST_TRIES + 1)
    assert "see why the plans p-back* failed" in done.stderr


def degraded() -> dict[str, Any]:
    made = plan("p", phase="Failed")
    at = "2026-01-01T00:00:00Z"
    remedy = {"type": "Degraded", "status": "True", "reason": "RollbackFailed", "lastTransitionTime": at}
    made["status"] |= {"message": "rolled back not", "conditions": [remedy | {"message": "reboot worker-0"}]}
    return made


@pytest.mark.parametrize(
    ("made", "node", "code", "want"),
    [
        pytest.param(None, None, 2, "no RepartitionPlan is called 'p'", id="not there"),
        pytest.param(plan("p", dry_run=True), None, 2, "is a dry run", id="a dry run"),
        pytest.param(plan("p", phase="RolledBack"), None, 1, "has ended (RolledBack)", id="taken back before"),
        pytest.param(degraded(), None, 1, "nothing to stop: reboot worker-0", id="one that needs a person"),
        pytest.param(plan("p", phase="Succeeded"), None, 1, "GPUNode worker-0 is gone", id="no node any more"),
        pytest.param(
            plan("p", phase="Succeeded"),
            gpu_node("worker-0", gpu(0, "QPX/NPS1")),
            1,
            f"{bdf(0)} reads QPX/NPS1, and the plan left it in CPX/NPS1",
            id="changed since",
        ),
    ],
)
async def test_what_cannot_be_taken_back_is_refused_and_nothing_written(
    api: FakeApiServer,
    command: Command,
    made: dict[str, Any] | None,
    node: dict[str, Any] | None,
    code: int,
    want: str,
) -> None:
    if made is not None:
        api.put(REPARTITION_PLANS, made)
    if node is not None:
        api.put(GPU_NODES, node)
    done = await command("rollback", "p", "--yes")
    assert (done.exit_code, done.stdout) == (code, "")
    assert want in done.stderr
    assert (api.count("PATCH"), api.count("POST")) == (0, 0)


def test_names_fit_and_differ() -> None:
    found = reverse_names("n" * 253)
    assert len(set(found)) == MOST_TRIES
    assert all(len(name) <= 253 for name in found)
