"""What befalls a change besides kills and faults of one call: a node that restarts, a GPU that is gone for good, a
reload that hangs to its real timeout, a budget that never allows an eviction.
"""

import pytest

from controller.agent.simulated_faults import Call, Fault, ScriptedFault
from controller.reconcilers.repartition_plan.remedy import GPU_MISSING
from controller.repartition.phases import DEADLINE_SECONDS, HARDWARE, Event, Phase
from controller.runtime.client.core import PODS
from controller.state.kinds import GPU_NODES
from tests.fakes.virtual_loop import run_virtually
from tests.sweep.actions import (
    Action,
    agent_away,
    both,
    budget_that_never_allows,
    cancel,
    kubelet_away,
    later,
    strike,
    take_over,
)
from tests.sweep.case import Run, running
from tests.sweep.faults import ENDS
from tests.sweep.scripts import MEMORY, Script
from tests.sweep.world import CHANGED, FIRST_MODE, MODELS, OTHER, PLAN, World

BOOT_SECONDS = 90.0
DEGRADED = frozenset({Phase.FAILED})


async def _play(script: Script, ends: frozenset[Phase]) -> Run:
    async with running() as run:
        run.begin(script)
        await run.settled()
        run.judge(ends)
        return run


def _reboot(world: World) -> None:
    world.machines[CHANGED].reboot()
    both(agent_away(BOOT_SECONDS), kubelet_away(BOOT_SECONDS))(world)


def _nodes_of_models(run: Run) -> list[str]:
    pods = run.world.store.list(PODS, labels="model=true")
    return [pod["spec"]["nodeName"] for pod in pods]


@pytest.mark.parametrize("phase", sorted(HARDWARE))
@pytest.mark.parametrize("seconds", [0.0, 10.0])
def test_a_node_that_restarts_during_a_change_comes_back_whole_and_is_changed_all_the_same(
    phase: Phase, seconds: float
) -> None:
    at: dict[Phase, Action] = {phase: later(seconds, _reboot)}
    if phase is Phase.ROLLING_BACK:
        at[Phase.VERIFYING] = cancel
    run_virtually(_play(Script(MEMORY, at=at), ENDS))


@pytest.mark.parametrize("call", [Call.READ, Call.RELOAD_DRIVER])
def test_a_gpu_that_is_gone_for_good_leaves_a_remedy_and_every_model_a_place(call: Call) -> None:
    lost = strike(ScriptedFault(Fault.GPU_LOST, call))
    run = run_virtually(_play(Script(MEMORY, at={Phase.APPLYING: lost}), DEGRADED))
    assert _nodes_of_models(run) == [OTHER] * MODELS
    gone, *others = run.world.machines[CHANGED].gpus
    reported = run.world.store.get(GPU_NODES, CHANGED)["status"]  # which is what the hardware is, as all cases end
    assert {gpu["bdf"]: gpu["mode"] for gpu in reported["gpus"]} == dict.fromkeys(others, FIRST_MODE)
    assert [gpu["bdf"] for gpu in reported["missingGpus"]] == [gone]
    (degraded,) = [one for one in run.world.plan(PLAN)["status"]["conditions"] if one["type"] == "Degraded"]
    assert (degraded["status"], degraded["reason"]) == ("True", GPU_MISSING)
    remedy = f"Not there any more: {gone}. Power {CHANGED} off and on; replace the GPU if it stays away."
    assert remedy in degraded["message"]


@pytest.mark.parametrize("fault", [Fault.MODE_NOT_TOLD, Fault.COUNTS_DIFFER])
def test_a_way_back_outlasts_what_passes_within_its_deadline(fault: Fault) -> None:
    passes = strike(ScriptedFault(fault, Call.READ, seconds=90.0))
    run_virtually(_play(Script(MEMORY, at={Phase.RELOADING: passes}), ENDS))


def test_a_reload_that_hangs_to_its_real_timeout_is_waited_for_and_undone() -> None:
    hangs = strike(ScriptedFault(Fault.RELOAD_HANGS, seconds=400.0))
    run = run_virtually(_play(Script(MEMORY, at={Phase.APPLYING: hangs}), ENDS))
    assert run.took > 300.0


def test_a_budget_that_never_allows_an_eviction_ends_the_plan_in_time_and_nobody_is_moved() -> None:
    limit = DEADLINE_SECONDS[Phase.DRAINING]
    assert limit is not None
    run = run_virtually(_play(Script(first=budget_that_never_allows(limit + 300.0)), DEGRADED))
    assert run.table.taken[-1] == (Phase.DRAINING, Event.EXPIRED)
    assert _nodes_of_models(run) == [CHANGED] * MODELS


@pytest.mark.parametrize(("seconds", "ends"), [(120.0, frozenset({Phase.SUCCEEDED})), (900.0, DEGRADED)])
def test_a_plan_waits_while_amds_device_config_manager_has_the_node_and_moves_nobody(
    seconds: float, ends: frozenset[Phase]
) -> None:
    run = run_virtually(_play(Script(at={Phase.DRAINING: take_over(seconds)}), ends))
    assert run.took > min(seconds, 600.0)
    moved = ends != DEGRADED
    assert (_nodes_of_models(run) != [CHANGED] * MODELS) is moved
