"""A plan that can never run ends before anybody is asked or moved; what may heal by itself is waited for."""

from typing import Any

import pytest

from controller.reconcilers.repartition_plan.drain import observe_draining
from controller.repartition.phases import Event, Phase
from controller.state.kinds import GPU_NODES
from tests.builders.gpu import bdf
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan
from tests.builders.policy import policy_object
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE, NEIGHBOUR, Plane
from tests.controller.reconcilers.repartition_plan.test_approval import the_plan, with_node

SPX, CPX, WIDE = ({"gpus": [{"bdf": bdf(0), "mode": mode}]} for mode in ("SPX/NPS1", "CPX/NPS1", "CPX/NPS4"))
UNKNOWN = {way: {"gpus": [{"bdf": bdf(9), "mode": mode}]} for way, mode in (("from", "SPX/NPS1"), ("to", "CPX/NPS1"))}


def change_node(plane: Plane, **spec: Any) -> None:
    (node,) = plane.api.of(GPU_NODES)
    plane.api.put(GPU_NODES, node | {"spec": node["spec"] | spec})


def quarantine(plane: Plane, number: int = 0) -> None:
    change_node(plane, quarantine=[{"bdf": bdf(number), "partition": 0, "reason": "memory errors"}])


@pytest.mark.parametrize("spec", [{"approved": True}, {}, {"approval": "Auto"}], ids=["approved", "asks", "automatic"])
@pytest.mark.parametrize(
    ("layouts", "why", "told"),
    [
        pytest.param(UNKNOWN, "UnknownGPU", f"node worker-0 has no GPU {bdf(9)}", id="unknown GPU"),
        pytest.param(
            {"from": CPX, "to": SPX}, "OtherMode", "reads SPX/NPS1, the plan starts from CPX", id="wrong from"
        ),
        pytest.param(
            {"from": SPX, "to": WIDE}, "MemoryModeIsNodeWide", f"name {bdf(1)} in it as well", id="half an NPS"
        ),
    ],
)
async def test_an_impossible_plan_fails_at_once_and_moves_nobody(
    layouts: dict[str, Any], why: str, told: str, spec: dict[str, Any]
) -> None:
    plane = Plane("Pending", BEFORE, NEIGHBOUR, **layouts, **spec)
    plane.serves("web-1")
    await plane.settle()
    condition = plane.condition("Succeeded")
    assert condition is not None
    assert (plane.status["phase"], condition["status"], condition["reason"]) == ("Failed", "False", why)
    assert told in plane.status["message"]
    assert (plane.steps, plane.api.evictions, plane.plugins.asked) == ([], [], [])


@pytest.mark.parametrize("phase", ["Pending", "AwaitingApproval", "Draining", "Quiescing"])
async def test_a_gpu_in_quarantine_keeps_its_mode(phase: str) -> None:
    plane = Plane(phase, approved=True)
    plane.serves("web-1")
    quarantine(plane)
    await plane.settle()
    assert (plane.status["phase"], plane.api.evictions, plane.ordered) == ("Failed", [], None)
    assert f"{bdf(0)} has partition 0 in quarantine" in plane.status["message"]
    assert "kubectl edit gpun worker-0" in plane.status["message"]


async def test_one_that_comes_into_quarantine_right_before_an_eviction_stops_it() -> None:
    plane = Plane("Pending", BEFORE, NEIGHBOUR, approved=True)
    plane.policy()
    plane.serves("web-1")
    for _ in range(2):
        await plane.step()
    assert plane.status["reservations"]
    quarantine(plane)
    await plane.settle()
    assert (plane.status["phase"], plane.status["reservations"], plane.api.evictions) == ("Failed", [], [])


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"allowedModes": ["QPX/NPS1"], "validatedOnly": False}, "policy shared does not allow CPX/NPS1"),
        ({"validatedOnly": True}, "AMD has not validated CPX/NPS1 for MI300X, as policy shared demands"),
    ],
)
async def test_a_policy_binds_what_people_write_but_not_the_way_back_of_a_plan(
    rules: dict[str, Any], told: str
) -> None:
    plane = Plane(approved=True)
    plane.policy(**rules)
    await plane.settle()
    assert told in plane.status["message"]
    back = Plane(approved=True)
    back.policy(**rules)
    there = plan("earlier", phase="Succeeded")
    back.put_plan(there | {"spec": there["spec"] | {"from": CPX, "to": SPX}})
    await back.until("Applying")


async def test_a_dry_run_tells_what_the_plan_would_end_with_instead_of_the_all_clear() -> None:
    real, rehearsed = Plane(to=WIDE), Plane(dryRun=True, to=WIDE)
    for plane in (real, rehearsed):
        plane.report(BEFORE, NEIGHBOUR)
        await plane.settle()
    assert (real.status["phase"], rehearsed.status["phase"]) == ("Failed", "Pending")
    prefix = "dry run, nothing is changed: the plan would end as Failed: "
    assert rehearsed.status["message"] == prefix + real.status["message"]


async def test_a_dry_run_of_a_node_that_is_not_there_says_so() -> None:
    plane = Plane(dryRun=True, node="worker-9")
    await plane.settle()
    assert "there is no GPUNode worker-9" in plane.status["message"]


async def test_a_dry_run_says_what_the_plan_would_wait_for() -> None:
    plane = Plane(dryRun=True)
    plane.labels = {"dcm.amd.com/gpu-config-profile": "cpx"}
    await plane.settle()
    assert "every GPU of the plan is idle; no pod has to move; now it waits: node worker-0" in plane.status["message"]


# What may heal by itself.


async def test_a_node_without_inventory_is_waited_for() -> None:
    plane = Plane(approved=True)
    node = gpu_node("worker-0", BEFORE)
    plane.api.put(GPU_NODES, node | {"status": {}})
    await plane.settle()
    assert plane.status["phase"] == "Pending"
    assert plane.status["message"].startswith("waits: the agent of node worker-0 has reported no GPU yet")
    plane.api.put(GPU_NODES, node)
    await plane.until("Applying")


@pytest.mark.parametrize("has", [BEFORE, AFTER], ids=["as it should be", "in another mode"])
async def test_an_agent_that_is_away_is_waited_for_before_anybody_moves(has: Any) -> None:
    plane = Plane("Pending", has, NEIGHBOUR, approved=True, alive=False)
    plane.policy()
    plane.serves("web-1")
    await plane.settle()
    assert (plane.status["phase"], plane.api.evictions) == ("Pending", [])
    assert plane.status["message"] == "waits for the agent of node worker-0, whose Lease is not renewed"


async def test_a_plan_that_starts_where_another_one_ends_waits_for_it() -> None:
    layouts: dict[str, Any] = {"from": CPX, "to": SPX}
    plane = Plane(approved=True, **layouts)
    plane.put_plan(plan("first", phase="Applying"))
    await plane.settle()
    assert plane.status["message"] == "waits until plan first of the same node has ended"
    plane.put_plan(plan("first", phase="Succeeded"))
    plane.report(AFTER)
    await plane.until("Applying")


async def test_what_lasts_does_not_wait_for_another_plan() -> None:
    plane = Plane(approved=True)
    plane.put_plan(plan("first", phase="Applying"))
    quarantine(plane)
    await plane.settle()
    assert plane.status["phase"] == "Failed"


@pytest.mark.parametrize("informer", ["gpu_nodes", "policies"])
async def test_an_informer_that_is_behind_ends_no_plan(informer: str) -> None:
    plane = Plane(approved=True)
    plane.policy()
    plane.show()
    older = gpu_node("worker-0", AFTER) if informer == "gpu_nodes" else policy_object(validatedOnly=True)
    plane.fed.listed(getattr(plane.fed.cluster, informer), older)
    await plane.look()
    assert plane.status["phase"] == "Pending"
    assert "the operator's caches are behind the API server" in plane.status["message"]
    await plane.until("Applying")


# AMD's Device Config Manager.


async def test_a_plan_waits_while_the_device_config_manager_has_the_node() -> None:
    plane = Plane(approved=True)
    plane.serves("web-1")
    plane.labels = {"dcm.amd.com/gpu-config-profile": "cpx"}
    await plane.settle()
    assert plane.status["phase"] == "Pending"
    for told in ("waits: node worker-0", "dcm.amd.com/gpu-config-profile", "ignoreDeviceConfigManager"):
        assert told in plane.status["message"]


async def test_one_that_has_begun_moves_nobody_meanwhile_and_fails_when_it_stays() -> None:
    plane = Plane("Pending", BEFORE, NEIGHBOUR, approved=True)
    plane.policy()
    plane.serves("web-1")
    await plane.step()
    plane.labels = {"dcm.amd.com/gpu-config-profile": "cpx"}
    await plane.settle()
    assert (plane.status["phase"], plane.api.evictions) == ("Draining", [])
    await plane.past_deadline(Phase.DRAINING)
    assert plane.status["phase"] == "Failed"
    assert "longer than 600 s: waits: node worker-0 is partitioned by AMD's Device Config" in plane.status["message"]


@pytest.mark.parametrize(("labels", "want"), [({}, Event.IDLE), ({"dcm.amd.com/gpu-config-profile": "cpx"}, None)])
def test_idle_gpus_of_its_node_are_not_changed_either(labels: dict[str, str], want: Event | None) -> None:
    assert observe_draining(with_node(labels=labels).cluster, the_plan("Draining", approved=True)).event is want
