"""`aim-gpu approve`: what is shown, what is asked, what is written, and what is refused."""

import json
from typing import Any

import pytest
from aiohttp import web

from controller.state.kinds import REPARTITION_PLANS
from tests.builders.gpu import bdf
from tests.builders.plan import plan
from tests.controller.cli.conftest import Command
from tests.fakes.api_server import FakeApiServer, status


def waiting(**fields: Any) -> dict[str, Any]:
    """A plan that waits for a person, and moves one pod."""
    made = plan("p", **{"phase": "AwaitingApproval"} | fields)
    made["spec"] |= {"reason": "claim team-a/aim-a needs a partition of 23.0 GiB", "approval": "Manual"}
    made["status"] |= {
        "observedGeneration": 1,
        "affectedPods": [{"namespace": "team-b", "name": "chat-0"}],
        "before": [f"team-b/chat-0: worker-0 {bdf(0)}/0 SPX/NPS1"],
        "after": [f"team-b/chat-0: worker-1 {bdf(2)}/0 SPX/NPS1"],
        "message": "waits for approval",
        "cost": {"evictions": 1, "restartSeconds": 120, "summary": "1 pod starts anew (2m)"},
    }
    return made


def spec_of(api: FakeApiServer) -> dict[str, Any]:
    found: dict[str, Any] = api.objects(REPARTITION_PLANS)["p"]["spec"]
    return found


async def test_shows_what_would_change_and_asks(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    done = await command("approve", "p", answer="y\n")
    assert done.exit_code == 0, done.stderr
    for shown in (bdf(0), "SPX/NPS1", "CPX/NPS1", "team-b/chat-0", f"worker-1 {bdf(2)}/0 SPX/NPS1"):
        assert shown in done.stdout
    assert "plan p of node worker-0: claim team-a/aim-a needs a partition of 23.0 GiB" in done.stderr
    assert "Let plan p change node worker-0?" in done.stderr
    assert "plan p is approved" in done.stderr
    assert spec_of(api)["approved"] is True


async def test_what_is_gained_and_what_it_costs_is_told(api: FakeApiServer, command: Command) -> None:
    made = waiting()
    made["spec"]["gain"] = {"gpus": 1, "claims": 2, "summary": "1 GPU, 2 claims"}
    api.put(REPARTITION_PLANS, made)
    done = await command("approve", "p", answer="n\n")
    assert "gain: 1 GPU, 2 claims; cost: 1 pod starts anew (2m)" in done.stderr


async def test_a_no_changes_nothing(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    done = await command("approve", "p", answer="n\n")
    assert (done.exit_code, "approved" in spec_of(api)) == (1, False)
    assert "plan p is not approved; nothing was changed" in done.stderr


async def test_without_a_terminal_nobody_is_asked(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    done = await command("approve", "p")
    assert (done.exit_code, "approved" in spec_of(api)) == (2, False)
    assert "give --yes" in done.stderr


async def test_programs_get_json_on_stdout_alone(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    done = await command("approve", "p", "--yes", "-o", "json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {
        "plan": "p",
        "node": "worker-0",
        "reason": "claim team-a/aim-a needs a partition of 23.0 GiB",
        "gain": None,
        "cost": "1 pod starts anew (2m)",
        "reloadsDriver": False,
        "reloadedGpus": [],
        "gpus": [{"bdf": bdf(0), "from": "SPX/NPS1", "to": "CPX/NPS1"}],
        "pods": [
            {
                "name": "team-b/chat-0",
                "before": f"worker-0 {bdf(0)}/0 SPX/NPS1",
                "after": f"worker-1 {bdf(2)}/0 SPX/NPS1",
            }
        ],
        "approved": True,
        "phase": "AwaitingApproval",
    }


async def test_a_program_may_look_before_it_says_yes(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    done = await command("approve", "p", "-o", "json")
    assert (done.exit_code, api.count("PATCH"), "approved" in spec_of(api)) == (3, 0, False)
    told = json.loads(done.stdout)
    assert (told["approved"], told["phase"]) == (False, "AwaitingApproval")
    assert [pod["name"] for pod in told["pods"]] == ["team-b/chat-0"]
    assert "give --yes as well" in done.stderr


async def test_pods_are_told_apart_on_a_narrow_terminal(
    api: FakeApiServer, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = waiting()
    names = [f"a-service-with-a-long-name-6fcb968f8d-{last}" for last in ("x7k2p", "q9z4m")]
    place = f"a-node-with-a-long-name {bdf(0)}/0 SPX/NPS1"
    made["status"] |= {
        "affectedPods": [{"namespace": "default", "name": name} for name in names],
        "before": [f"default/{name}: {place}" for name in names],
        "after": [f"default/{name}: {place}" for name in names],
    }
    api.put(REPARTITION_PLANS, made)
    monkeypatch.setattr("controller.cli.output.NOT_A_TERMINAL", 80)
    done = await command("approve", "p", answer="n\n")
    first = [line.split("│")[1].strip() for line in done.stdout.splitlines() if line.startswith("│")]
    assert all(f"default/{name}" in "".join(first) for name in names), done.stdout


async def test_a_reload_of_the_driver_is_told(api: FakeApiServer, command: Command) -> None:
    made = waiting()
    made["spec"]["to"] = {"gpus": [{"bdf": bdf(0), "mode": "CPX/NPS4"}]}
    made["status"] |= {"affectedPods": [], "before": [], "after": []}
    api.put(REPARTITION_PLANS, made)
    done = await command("approve", "p", "--yes")
    assert "the driver of the whole node is reloaded" in done.stderr
    assert f"nobody can use {bdf(0)} meanwhile" in done.stderr
    assert "no pod has to move" in done.stderr


async def test_one_that_is_approved_already_is_fine(api: FakeApiServer, command: Command) -> None:
    made = waiting(phase="Draining")
    made["spec"]["approved"] = True
    api.put(REPARTITION_PLANS, made)
    done = await command("approve", "p")
    assert (done.exit_code, api.count("PATCH")) == (0, 0)


def unseen() -> dict[str, Any]:
    made = plan("p")
    made["status"] = {"phase": "Pending"}
    return made


def stopped() -> dict[str, Any]:
    made = waiting(phase="RollingBack")
    made["spec"]["rollback"] = True
    return made


@pytest.mark.parametrize(
    ("made", "code", "want"),
    [
        pytest.param(None, 2, "no RepartitionPlan is called 'p'", id="not there"),
        pytest.param(waiting(dry_run=True), 2, "is a dry run", id="a dry run"),
        pytest.param(waiting(phase="Failed"), 1, "plan p has ended (Failed): waits for approval", id="over"),
        pytest.param(unseen(), 1, "the operator has not looked at plan p yet", id="nobody knows who would move"),
        pytest.param(stopped(), 1, "is being taken back", id="taken back"),
    ],
)
async def test_what_cannot_be_approved_is_refused_and_stays_as_it_is(
    api: FakeApiServer, command: Command, made: dict[str, Any] | None, code: int, want: str
) -> None:
    if made is not None:
        api.put(REPARTITION_PLANS, made)
    done = await command("approve", "p", "--yes")
    assert (done.exit_code, done.stdout, api.count("PATCH")) == (code, "", 0)
    assert want in done.stderr


async def test_a_status_that_was_written_meanwhile_is_no_obstacle(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    api.play(written_meanwhile(api, message="still waits"), on="PATCH")
    done = await command("approve", "p", answer="y\n")
    assert (done.exit_code, spec_of(api)["approved"]) == (0, True)
    assert done.stderr.count("Let plan p change") == 1


async def test_a_plan_that_now_moves_others_is_shown_and_asked_for_again(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    more = [{"namespace": "team-b", "name": name} for name in ("chat-0", "code-0")]
    api.play(written_meanwhile(api, affectedPods=more), on="PATCH")
    done = await command("approve", "p", answer="y\nn\n")
    assert (done.exit_code, "approved" in spec_of(api)) == (1, False)
    assert "team-b/code-0" in done.stdout


def written_meanwhile(api: FakeApiServer, **fields: Any) -> Any:
    """The operator writes the status while the person reads."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stored = api.objects(REPARTITION_PLANS)["p"]
        api.put(REPARTITION_PLANS, stored | {"status": stored["status"] | fields})
        return await api.perform(request)

    return answer


async def test_a_plan_that_never_stands_still_is_left_alone(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    api.play(*(written_meanwhile(api, message=f"{n}") for n in range(5)), on="PATCH")
    done = await command("approve", "p", "--yes")
    assert (done.exit_code, "approved" in spec_of(api)) == (1, False)
    assert "changes all the time" in done.stderr


async def forbidden(_: web.Request) -> web.StreamResponse:
    return status(403, "Forbidden", 'repartitionplans "p" is forbidden: User "me" cannot patch it')


async def test_who_may_not_is_told_so(api: FakeApiServer, command: Command) -> None:
    api.put(REPARTITION_PLANS, waiting())
    api.play(forbidden, on="PATCH")
    done = await command("approve", "p", "--yes")
    assert done.exit_code == 1
    assert 'cannot approve plan p: repartitionplans "p" is forbidden' in done.stderr
    assert "ask an administrator" in done.stderr
