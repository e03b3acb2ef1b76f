"""A release while modes are being changed: what only operator and agents end well is waited for, the rest is told."""

import asyncio
from typing import Any

import pytest

from api.group import GATE
from controller.cli.release_plans import at_hardware, left, ordered
from controller.cli.release_steps import OPERATOR, GatedPods, Release
from controller.repartition.phases import HARDWARE, Phase
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOKS,
)
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, REPARTITION_PLANS
from tests.fakes.clock import LoopClock
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport

Object = dict[str, Any]
NAMESPACE = "aim-gpu-system"
WEBHOOK = "aim-gpu-pod-gate"
KINDS = (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOKS,
)
OURS = (GPU_NODES, GPU_PARTITION_CLAIMS, REPARTITION_PLANS)


def plan(phase: Phase, *, closing: bool | None = None, dry_run: bool = False) -> Object:
    """`closing`: whether its last step, after its end, is still open; None: there is none."""
    steps = [] if closing is None else [{"name": "Closing"} | ({} if closing else {"endTime": "2026-11-27T12:00:00Z"})]
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "RepartitionPlan",
        "metadata": {"name": "to-cpx"},
        "spec": {"node": "gpu-1", "dryRun": dry_run},
        "status": {"phase": phase.value, "steps": steps, "message": "the agent is at SetMemoryMode, 40 %"},
    }


def gpu_node(progress: str | None, *, of: str = "one") -> Object:
    """A node with operation "one", of which, or of the one before, the agent told `progress`."""
    status = {} if progress is None else {"operation": {"id": of, "phase": progress, "step": "SetMemoryMode"}}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUNode",
        "metadata": {"name": "gpu-1"},
        "spec": {"operation": {"id": "one"}},
        "status": status,
    }


@pytest.mark.parametrize("phase", Phase)
def test_a_plan_is_waited_for_from_the_hardware_on(phase: Phase) -> None:
    assert bool(at_hardware([plan(phase)])) == (phase in HARDWARE)


@pytest.mark.parametrize(("closing", "want"), [(True, True), (False, False), (None, False)])
def test_and_until_it_is_tidied_up(closing: bool | None, want: bool) -> None:
    assert bool(at_hardware([plan(Phase.SUCCEEDED, closing=closing)])) is want


@pytest.mark.parametrize(
    ("node", "want"),
    [
        pytest.param(gpu_node(None), True, id="ordered, and nothing was said of it"),
        pytest.param(gpu_node("Succeeded", of="zero"), True, id="what was said is of the one before"),
        pytest.param(gpu_node("Running"), True, id="under way"),
        pytest.param(gpu_node("Succeeded"), False, id="done"),
        pytest.param(gpu_node("Failed"), False, id="failed"),
        pytest.param({"metadata": {"name": "gpu-1"}, "spec": {}}, False, id="nothing is ordered"),
    ],
)
def test_an_agent_is_waited_for_until_it_has_said_that_it_ended(node: Object, want: bool) -> None:
    assert bool(ordered([node])) is want


@pytest.mark.parametrize(
    ("found", "want"),
    [
        pytest.param(plan(Phase.DRAINING), "left at Draining: nothing was changed", id="before the hardware"),
        pytest.param(plan(Phase.VERIFYING), "left at Verifying: AMD's plugins on node gpu-1", id="after it"),
        pytest.param(plan(Phase.SUCCEEDED, closing=True), "left at Closing: AMD's plugins", id="not tidied up"),
        pytest.param(plan(Phase.SUCCEEDED, closing=False), None, id="ended"),
        pytest.param(plan(Phase.AWAITING_APPROVAL), None, id="not begun"),
        pytest.param(plan(Phase.DRAINING, dry_run=True), None, id="a dry run"),
    ],
)
def test_a_plan_that_nobody_goes_on_with_is_told(found: Object, want: str | None) -> None:
    lines = list(left([found]))
    assert len(lines) == (want is not None)
    assert want is None or want in lines[0]


class World:
    """A store with an operator of so many ready replicas; `steps` are the release's lines with the time of each."""

    def __init__(self, *found: tuple[Any, Object], replicas: int = 1) -> None:
        self.clock = LoopClock()
        self.store = FakeStore(self.clock, (*KINDS, *OURS))
        self.lines: list[str] = []
        self.gated_pods = GatedPods.DELETE
        operator = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": OPERATOR, "namespace": NAMESPACE},
            "spec": {"replicas": 1},
            "status": {"readyReplicas": replicas},
        }
        webhook = {"metadata": {"name": WEBHOOK}, "webhooks": []}
        for resource, obj in ((DEPLOYMENTS, operator), (MUTATING_WEBHOOKS, webhook), *found):
            self.put(resource, obj)

    def put(self, resource: Any, obj: Object) -> None:
        self.store.create(resource, obj)
        if "status" in obj:
            name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace", "")
            self.store.write(resource, name, namespace, {"status": obj["status"]}, subresource="status")

    def gated(self) -> bool:
        return self.store.find(MUTATING_WEBHOOKS, WEBHOOK) is not None

    async def release(self, *, leave_plans: bool = False) -> None:
        transport = StoreTransport(self.store, "release")
        async with Client(ClientConfiguration("http://store"), transport=transport) as client:
            steps = Release(
                client,
                self.clock,
                NAMESPACE,
                self.gated_pods,
                dry_run=False,
                limit_seconds=60.0,
                leave_plans=leave_plans,
            )
            async for line in steps.run():
                self.lines.append(line)


@pytest.mark.looptime
async def test_a_plan_at_the_hardware_ends_before_anything_is_taken_away() -> None:
    world = World((REPARTITION_PLANS, plan(Phase.VERIFYING)))

    async def operator() -> None:
        await asyncio.sleep(20)
        assert world.gated(), "webhooks are there until the plan has ended"
        world.store.write(REPARTITION_PLANS, "to-cpx", "", {"status": {"phase": "Succeeded"}}, subresource="status")

    async with asyncio.TaskGroup() as group:
        group.create_task(operator())
        group.create_task(world.release())
    assert world.lines[0] == "RepartitionPlan to-cpx waited for, it was at Verifying"
    assert not world.gated()
    assert [line for line in world.lines if "is left at" in line] == []


@pytest.mark.looptime
async def test_one_that_does_not_end_in_time_stops_the_release_before_it_begins() -> None:
    world = World((REPARTITION_PLANS, plan(Phase.APPLYING)))
    with pytest.raises(TimeoutError, match=r"after 60 s .* is at Applying \(the agent .*--leave-plans"):
        await world.release()
    assert (world.lines, world.gated()) == ([], True)


@pytest.mark.looptime
async def test_a_pod_of_the_operators_that_does_not_go_is_named_with_its_node_and_a_remedy() -> None:
    meta = {"name": "aim-gpu-operator-x", "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": OPERATOR}}
    world = World((PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "gpu-1"}}))
    want = rf"after 60 s .*, aim-gpu-operator-x on gpu-1: wait .* kubectl delete pod -n {NAMESPACE} NAME --force"
    with pytest.raises(TimeoutError, match=want):
        await world.release()


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("replicas", "leave_plans"), [(0, False), (1, True)], ids=["nobody takes it further", "it is to be left"]
)
async def test_it_is_told_where_it_is_not_waited_for(replicas: int, leave_plans: bool) -> None:
    world = World((REPARTITION_PLANS, plan(Phase.APPLYING)), replicas=replicas)
    await world.release(leave_plans=leave_plans)
    assert not world.gated()
    assert "is left at Applying: AMD's plugins on node gpu-1" in world.lines[-1]


@pytest.mark.looptime
async def test_a_plan_before_the_hardware_is_not_waited_for() -> None:
    world = World((REPARTITION_PLANS, plan(Phase.DRAINING)))
    began = world.clock.monotonic()
    await world.release()
    assert world.clock.monotonic() - began < 1
    assert "is left at Draining: nothing was changed" in world.lines[-1]


@pytest.mark.looptime
async def test_an_agent_at_work_ends_before_nodes_are_cleaned() -> None:
    node = {"metadata": {"name": "gpu-1", "labels": {"aim.amd.com/gpu.product": "MI300X"}}, "spec": {}}
    world = World((GPU_NODES, gpu_node("Running")), (NODES, node), replicas=0)

    async def agent() -> None:
        await asyncio.sleep(30)
        assert world.store.get(NODES, "gpu-1")["metadata"]["labels"]
        done = {"status": {"operation": {"id": "one", "phase": "Succeeded"}}}
        world.store.write(GPU_NODES, "gpu-1", "", done, subresource="status")

    async with asyncio.TaskGroup() as group:
        group.create_task(agent())
        group.create_task(world.release())
    waited = world.lines.index("GPUNode gpu-1: its agent's change of modes waited for")
    assert waited < world.lines.index("Node gpu-1: aim.amd.com/gpu.product removed")


@pytest.mark.looptime
async def test_an_agent_that_does_not_end_is_named() -> None:
    world = World((GPU_NODES, gpu_node("Running")))
    with pytest.raises(TimeoutError, match="the agent of node gpu-1 changes modes, at SetMemoryMode: wait for it"):
        await world.release()


@pytest.mark.looptime
async def test_definitions_that_are_gone_leave_nothing_to_wait_for() -> None:
    world = World()
    for resource in OURS:
        del world.store.resources[next(root for root, one in world.store.resources.items() if one == resource)]
    await world.release()
    assert "Deployment aim-gpu-system/aim-gpu-operator scaled to 0" in world.lines


def gated_pod(name: str, claim: str | None) -> Object:
    """A pod of nobody's behind the gate."""
    asked = [{"name": "aim", "resourceClaimName": claim}] if claim else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "team-a"},
        "spec": {"schedulingGates": [{"name": GATE}], "containers": [], "resourceClaims": asked},
    }


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("gated_pods", "claim", "made", "want"),
    [
        pytest.param(GatedPods.DELETE, "aim-x", False, "deleted; nobody makes ResourceClaim aim-x", id="delete"),
        pytest.param(GatedPods.UNGATE, "aim-x", False, "ungated; it WAITS FOR EVER", id="ungate"),
        pytest.param(
            GatedPods.DELETE, "aim-x", True, "ungated; the ResourceClaim that it asks", id="its claim is there"
        ),
        pytest.param(GatedPods.DELETE, None, False, "ungated; the scheduler takes it as it is", id="no claim asked"),
    ],
)
async def test_a_pod_of_nobodys_runs_is_deleted_or_told_of(
    gated_pods: GatedPods, claim: str | None, made: bool, want: str
) -> None:
    claims = [(RESOURCE_CLAIMS, {"metadata": {"name": claim, "namespace": "team-a"}, "spec": {}})] if made else []
    world = World((PODS, gated_pod("lone", claim)), *claims)
    world.gated_pods = gated_pods
    await world.release()
    (line,) = [line for line in world.lines if line.startswith("pod ")]
    assert line.startswith(f"pod team-a/lone {want}")
    found = world.store.find(PODS, "lone", "team-a")
    assert (found is None) == ("deleted" in want)
    assert found is None or found["spec"]["schedulingGates"] == []
