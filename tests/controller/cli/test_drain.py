"""`aim-gpu drain` before a fake API server: what is shown, what is asked, who goes, and where it ends."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from controller.cli.drain_plan import Tenant
from controller.cli.drain_steps import Drain, NotDrained
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES, POD_DISRUPTION_BUDGETS, PODS
from controller.state.kinds import GPU_PARTITION_CLAIMS, REPARTITION_PLANS
from controller.translate.pod import pod_view
from tests.builders.gpu import bdf
from tests.builders.plan import reservation
from tests.builders.pod import typed_pod
from tests.controller.cli.fleet_command import Ask, asking
from tests.controller.cli.fleet_scene import FleetServer
from tests.controller.cli.terminal import Terminal
from tests.fakes import faults
from tests.fakes.clock import SkippingClock

AIM_GPU = Path(sys.executable).with_name("aim-gpu")
NEVER = 10**6


@pytest.fixture
async def server() -> AsyncIterator[FleetServer]:
    api = FleetServer()
    async with api:
        yield api


@pytest.fixture
def ask(server: FleetServer, tmp_path: Path) -> Ask:
    return asking(server, tmp_path)


def cordoned(server: FleetServer, node: str = "gpu-a") -> bool:
    return bool(server.objects(NODES)[node]["spec"].get("unschedulable"))


async def test_a_dry_run_says_where_everybody_would_go_and_changes_nothing(server: FleetServer, ask: Ask) -> None:
    told = await ask("drain", "gpu-a", "--dry-run")
    assert told.exit_code == 0, told.stderr
    assert "pod team-a/llama-70b-0 (192.0 GiB" in told.stdout
    assert "its successor gets gpu-b 0000:01:00.0/0 (SPX/NPS1, 192.0 GiB)" in told.stdout
    assert "team-a/chat-0 (24.0 GiB, Qwen/Qwen3-4B): its successor gets gpu-b 0000:02:00.0/1" in told.stdout
    assert "keeps it at the moment" in told.stdout
    assert "team-b/code-0" in told.stdout
    assert "no controller makes it anew" in told.stdout
    assert "3 pods to evict, 2 with a place elsewhere, 1 that no controller makes anew" in told.stderr
    assert (server.evicted, cordoned(server)) == ([], False)
    assert not [seen for seen in server.seen if seen.method != "GET"]


async def test_nobody_is_shown_to_go_back_to_the_node_that_is_drained(ask: Ask) -> None:
    document = json.loads((await ask("drain", "gpu-a", "--dry-run", "-o", "json")).stdout)
    places = [pod["successor"]["node"] for pod in document["pods"] if pod["successor"] is not None]
    assert places == ["gpu-b", "gpu-b"]


async def test_programs_are_shown_it_and_told_that_nothing_was_done(server: FleetServer, ask: Ask) -> None:
    told = await ask("drain", "gpu-b", "-o", "yaml")
    assert (told.exit_code, server.evicted) == (3, [])
    assert "node: gpu-b" in told.stdout
    assert "nothing was done: -o yaml without --yes" in told.stderr


async def test_who_would_be_lost_stops_it_unless_forced(server: FleetServer, ask: Ask) -> None:
    told = await ask("drain", "gpu-a", "--yes")
    assert (told.exit_code, server.evicted, cordoned(server)) == (1, [], False)
    assert "no controller makes team-b/code-0 anew: delete them by hand, or give --force" in told.stderr


async def test_who_would_wait_stops_it_unless_let_wait(server: FleetServer, ask: Ask) -> None:
    for name in ("aim-llama-70b", "aim-chat", "aim-code"):  # fill gpu-b: nothing is left for them
        claim = server.objects(GPU_PARTITION_CLAIMS)[f"team-{'b' if name == 'aim-code' else 'a'}/{name}"]
        claim["spec"]["requirement"]["memory"] = "400Gi"
    told = await ask("drain", "gpu-a", "--yes", "--force")
    assert (told.exit_code, server.evicted) == (1, [])
    assert "for them no place is known elsewhere: make room, or give --let-wait" in told.stderr
    gone = await ask("drain", "gpu-a", "--yes", "--force", "--let-wait")
    assert (gone.exit_code, len(server.evicted)) == (0, 3), gone.stderr


async def test_it_cordons_evicts_and_waits_until_everybody_has_gone(server: FleetServer, ask: Ask) -> None:
    told = await ask("drain", "gpu-a", "--yes", "--force")
    assert told.exit_code == 0, told.stderr
    assert cordoned(server)
    assert sorted(server.evicted) == ["team-a/chat-0", "team-a/llama-70b-0", "team-b/code-0"]
    assert "node gpu-a is drained of models: kubectl uncordon gpu-a" in told.stderr
    assert "pod team-a/chat-0 has gone" in told.stderr


async def test_a_budget_is_waited_for_and_another_run_goes_on(server: FleetServer, ask: Ask) -> None:
    server.kept["team-a/chat-0"] = NEVER
    told = await ask("drain", "gpu-a", "--yes", "--force", "--limit", "1")
    assert told.exit_code == 1
    assert "pod team-a/chat-0 stays: The disruption budget of team-a/chat-0 needs more" in told.stderr
    assert "node gpu-a stays cordoned: run it again to go on, or kubectl uncordon gpu-a" in told.stderr
    assert sorted(server.evicted) == ["team-a/llama-70b-0", "team-b/code-0"]
    server.kept.clear()
    again = await ask("drain", "gpu-a", "--yes")
    assert (again.exit_code, server.evicted[2:]) == (0, ["team-a/chat-0"]), again.stderr
    assert "cordoned" not in again.stderr.replace("(cordoned)", "")


async def test_without_a_right_it_says_which(server: FleetServer, ask: Ask) -> None:
    server.forbidden = {"gpunodes"}
    told = await ask("drain", "gpu-a", "--dry-run")
    assert told.exit_code == 1
    assert "cannot drain node gpu-a: the right to list gpunodes" in told.stderr


async def test_a_node_that_is_not_there_is_bad_input(ask: Ask) -> None:
    told = await ask("drain", "gpu-z")
    assert told.exit_code == 2
    assert "no GPU node is called 'gpu-z'" in told.stderr


async def test_without_a_terminal_nobody_is_asked(server: FleetServer, ask: Ask) -> None:
    told = await ask("drain", "gpu-b")
    assert (told.exit_code, server.evicted) == (2, [])
    assert "nobody to ask" in told.stderr


@pytest.mark.parametrize("code", [403, 500], ids=["no right in its namespace", "two budgets"])
async def test_who_can_never_be_evicted_holds_up_nobody_and_is_not_waited_for(
    server: FleetServer, ask: Ask, code: int
) -> None:
    server.never["team-a/chat-0"] = code, "This pod is not to be evicted"
    told = await ask("drain", "gpu-a", "--yes", "--force")
    assert (told.exit_code, sorted(server.evicted)) == (1, ["team-a/llama-70b-0", "team-b/code-0"])
    assert "error: pod team-a/chat-0 stays: This pod is not to be evicted; node gpu-a stays cordoned" in told.stderr


async def test_programs_are_told_what_was_done_however_it_ends(server: FleetServer, ask: Ask) -> None:
    server.never["team-a/chat-0"] = 403, "no"
    told = await ask("drain", "gpu-a", "--yes", "--force", "-o", "json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["done"][:2] == ["node gpu-a cordoned", "pod team-a/chat-0 stays: no"]
    assert json.loads(told.stdout)["done"][-1] == "pod team-b/code-0 has gone"


async def test_who_may_not_cordon_is_told_so_and_nothing_else(server: FleetServer, ask: Ask) -> None:
    server.play(faults.refusal(403, "Forbidden", 'nodes "gpu-a" is forbidden'), on="PATCH")
    told = await ask("drain", "gpu-a", "--yes", "--force")
    assert (told.exit_code, server.evicted) == (1, [])
    assert 'cannot drain node gpu-a: nodes "gpu-a" is forbidden; ask an administrator' in told.stderr
    assert "cordoned" not in told.stderr


async def test_a_node_that_is_drained_already_asks_nobody(server: FleetServer, ask: Ask) -> None:
    assert (await ask("drain", "gpu-a", "--yes", "--force")).exit_code == 0
    for name in ("team-a/llama-70b", "team-a/chat", "team-b/code"):
        server.remove(GPU_PARTITION_CLAIMS, name.replace("/", "/aim-"))
    again = await ask("drain", "gpu-a")
    assert again.exit_code == 0, again.stderr
    assert "node gpu-a is drained of models" in again.stderr


async def test_a_pod_that_came_before_the_node_was_seen_to_be_cordoned_is_told(server: FleetServer) -> None:
    server.objects(PODS)["team-b/batch-0"]["spec"]["nodeName"] = "gpu-a"
    with pytest.raises(NotDrained, match="pod team-b/batch-0 got a partition there meanwhile"):
        await drained(server, "team-a/chat-0", "team-a/llama-70b-0")


@pytest.mark.parametrize(
    ("key", "code", "told"),
    [
        pytest.param("", 130, "nothing was changed", id="Ctrl-C"),
        pytest.param("\x04", 1, "error: node gpu-b is not drained; nothing was changed", id="Ctrl-D"),
        pytest.param("n\r", 1, "error: node gpu-b is not drained; nothing was changed", id="no"),
    ],
)
async def test_at_the_question_one_can_still_turn_back(
    server: FleetServer, tmp_path: Path, key: str, code: int, told: str
) -> None:
    asking(server, tmp_path)
    terminal = Terminal(AIM_GPU, "drain", "gpu-b", "--kubeconfig", str(tmp_path / "kubeconfig"))
    await asyncio.to_thread(terminal.wait_for, "Cordon node gpu-b and evict 1 pod? [y/N]:")
    if key:
        terminal.type(key)
    else:
        terminal.process.send_signal(signal.SIGINT)
    await asyncio.to_thread(terminal.wait_for, told)
    assert (await asyncio.to_thread(terminal.process.wait, 30), server.evicted, cordoned(server, "gpu-b")) == (
        code,
        [],
        False,
    )
    assert "Aborted" not in terminal.shown


def tenant(server: FleetServer, key: str) -> Tenant:
    namespace, _, name = key.partition("/")
    return Tenant(pod_view(typed_pod(name, namespace=namespace)), key, "", 0)


async def drained(server: FleetServer, *keys: str, limit: float = 60.0) -> tuple[list[str], SkippingClock]:
    """Of a node on which these pods are all that there are."""
    clock = SkippingClock()
    for key in {"team-a/chat-0", "team-a/llama-70b-0", "team-b/code-0"} - {*keys}:
        server.remove(PODS, key)
    async with Client(ClientConfiguration(server.url), clock=clock) as client:
        steps = Drain(client, clock, Random(1), "gpu-a", [tenant(server, key) for key in keys], limit)
        return [line async for line in steps.run()], clock


async def test_refusals_are_told_once_and_waits_between_them_grow(server: FleetServer) -> None:
    server.kept["team-a/chat-0"] = 4
    lines, clock = await drained(server, "team-a/chat-0")
    assert [line.split(":")[0] for line in lines] == [
        "node gpu-a cordoned",
        "pod team-a/chat-0 stays for now",
        "pod team-a/chat-0 evicted",
        "pod team-a/chat-0 has gone",
    ]
    assert len(clock.slept) == 4
    assert clock.slept[0] < clock.slept[-1] <= 10.0


async def test_a_pod_that_was_made_anew_under_its_name_is_not_evicted_again(server: FleetServer) -> None:
    server.objects(PODS)["team-a/chat-0"]["metadata"]["uid"] = "another"
    server.objects(PODS)["team-a/chat-0"]["spec"]["nodeName"] = "gpu-b"
    server.play(faults.refusal(409, "Conflict", "the UID in the precondition does not match"), on="POST")
    lines, _ = await drained(server, "team-a/chat-0")
    assert lines[1:] == ["pod team-a/chat-0 has gone"]
    assert server.evicted == []


async def test_an_api_server_that_breaks_off_is_asked_again(server: FleetServer) -> None:
    server.play(faults.refusal(503, "ServiceUnavailable", "not now"), on="POST")
    lines, _ = await drained(server, "team-a/chat-0")
    assert lines[-1] == "pod team-a/chat-0 has gone"


async def test_who_does_not_end_is_named_when_the_time_is_over(server: FleetServer) -> None:
    server.lingering.add("team-a/chat-0")
    with pytest.raises(NotDrained, match=r"after 60 s pod team-a/chat-0 is ending still"):
        await drained(server, "team-a/chat-0", "team-a/llama-70b-0")
    assert server.evicted == ["team-a/chat-0", "team-a/llama-70b-0"]


async def test_of_a_budget_for_one_the_second_is_shown_to_be_kept(server: FleetServer, ask: Ask) -> None:
    """Each alone could go; one after the other they cannot."""
    server.objects(POD_DISRUPTION_BUDGETS)["team-a/chat"]["spec"]["selector"] = {}
    server.objects(POD_DISRUPTION_BUDGETS)["team-a/chat"]["status"]["disruptionsAllowed"] = 1
    document = json.loads((await ask("drain", "gpu-a", "--dry-run", "-o", "json")).stdout)
    assert [(pod["pod"], pod["keptByBudget"]) for pod in document["pods"]] == [
        ("team-a/chat-0", False),
        ("team-a/llama-70b-0", True),
        ("team-b/code-0", False),
    ]


async def test_pods_that_changes_of_modes_moved_keep_nobody_from_a_drain(server: FleetServer, ask: Ask) -> None:
    """That is a budget of what the operator asks for itself."""
    moved = reservation(bdf(0), node="gpu-b", namespace="team-b", owner="rs-gone", evictedTime="2026-01-01T00:00:00Z")
    server.objects(REPARTITION_PLANS)["spx-to-dpx"]["status"] |= {"phase": "Draining", "reservations": [moved]}
    document = json.loads((await ask("drain", "gpu-a", "--dry-run", "-o", "json")).stdout)
    assert [pod["pod"] for pod in document["pods"] if pod["keptByBudget"]] == ["team-a/chat-0"]
