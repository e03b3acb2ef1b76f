from types import SimpleNamespace
from typing import Any, cast

import pytest
from opentelemetry.metrics import Counter

from controller.placement.snapshot import Gpu
from controller.reconcilers.repartition_plan.controller import (
    LOOK_AGAIN_SECONDS,
    SOON_SECONDS,
    RepartitionPlanReconciler,
)
from controller.repartition.phases import DEADLINE_SECONDS, TERMINAL, Phase
from controller.runtime.client.client import Client
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.client.errors import Conflict
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import GPU_NODES, GPU_SHARING_POLICIES, REPARTITION_PLANS
from tests.builders.cluster import FedCluster
from tests.builders.gpu import device_name, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plan import plan
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim
from tests.builders.resource_slice import resource_slice
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing

BEFORE, AFTER = gpu(0, "SPX/NPS1"), gpu(0, "CPX/NPS1")
OURS = "plan-plan-1"  # the builder's uid of that plan
STATUS_WRITE, ORDER = "replace repartitionplans", "patch gpunodes"


class Plane:
    """One node with one GPU in SPX, one plan to CPX, and the reconciler; `step` shows it all and reconciles once."""

    def __init__(self, phase: str = "Pending", **spec: Any) -> None:
        self.api = InMemoryApi()
        self.fed = FedCluster()
        self.told: list[tuple[str, str]] = []
        self.counted: list[str] = []
        self.api.put(GPU_NODES, gpu_node("worker-0", BEFORE))
        made = plan(phase=phase)
        self.api.put(REPARTITION_PLANS, made | {"spec": made["spec"] | spec})
        recorder = SimpleNamespace(record=lambda regarding, type_, reason, *_: self.told.append((type_, reason)))
        counter = SimpleNamespace(add=lambda _, row: self.counted.append(row["result"]))
        self.reconciler = RepartitionPlanReconciler(
            cast("Client", self.api),
            self.fed.cluster,
            cast("EventRecorder", recorder),
            self.fed.clock,
            cast("Counter", counter),
        )

    async def step(self) -> Result:
        cluster = self.fed.cluster
        self.fed.listed(cluster.nodes, node_object())
        for informer, resource in (
            (cluster.gpu_nodes, GPU_NODES),
            (cluster.plans, REPARTITION_PLANS),
            (cluster.resource_claims, RESOURCE_CLAIMS),
            (cluster.policies, GPU_SHARING_POLICIES),
        ):
            self.fed.listed(informer, *self.api.of(resource))
        return await self.reconciler.reconcile(Request("", "plan-1"))

    @property
    def status(self) -> dict[str, Any]:
        (found,) = self.api.of(REPARTITION_PLANS)
        status: dict[str, Any] = found["status"]
        return status

    @property
    def ordered(self) -> dict[str, Any] | None:
        """The operation that the agent is to carry out."""
        (node,) = self.api.of(GPU_NODES)
        operation: dict[str, Any] | None = node["spec"].get("operation")
        return operation

    def agent(self, phase: str, *gpus: Gpu, message: str = "") -> None:
        """The agent reports what became of the ordered operation, and what the GPUs are like now."""
        (node,) = self.api.of(GPU_NODES)
        assert self.ordered is not None
        progress = {"id": self.ordered["id"], "phase": phase, "message": message}
        reported = gpu_node("worker-0", *gpus)["status"] | {"operation": progress}
        self.api.put(GPU_NODES, node | {"status": reported})

    def driver(self, *gpus: Gpu) -> None:
        self.fed.listed(self.fed.cluster.resource_slices, resource_slice("worker-0", *gpus))

    async def until(self, phase: str) -> None:
        for _ in range(3):
            if self.status["phase"] == phase:
                return
            await self.step()
        assert self.status["phase"] == phase


def steps(plane: Plane) -> list[str]:
    return [step["name"] for step in plane.status["steps"]]


async def test_a_plan_that_may_run_goes_all_the_way() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    assert plane.ordered is not None
    assert plane.ordered["id"] == OURS
    assert [each["mode"] for each in plane.ordered["to"]["gpus"]] == ["CPX/NPS1"]
    plane.agent("Succeeded", AFTER)
    plane.driver(AFTER)
    await plane.until("Succeeded")
    assert steps(plane) == ["Draining", "Quiescing", "Applying", "Verifying"]
    assert all(step["result"] == "Done" and "endTime" in step for step in plane.status["steps"])
    assert plane.status["summary"] == {"from": "1xSPX/NPS1", "to": "1xCPX/NPS1"}
    assert plane.counted == ["Succeeded"]


async def test_the_order_is_given_once_and_taken_back_at_the_end() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    for _ in range(3):
        await plane.step()
    assert plane.api.writes.count(ORDER) == 1
    plane.agent("Failed", BEFORE, message="the driver is gone")
    await plane.until("RollingBack")
    plane.agent("Succeeded", BEFORE)
    await plane.until("RolledBack")
    await plane.step()
    assert plane.ordered is None


async def test_an_order_whose_write_was_lost_is_given_again() -> None:
    plane = Plane("Applying")
    await plane.step()
    assert plane.ordered is not None
    assert plane.ordered["id"] == OURS


async def test_a_change_that_failed_is_taken_back() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    plane.agent("Failed", AFTER, message="the driver did not come back")
    await plane.until("RollingBack")
    assert plane.ordered is not None
    assert plane.ordered["id"] == f"{OURS}-rollback"
    assert [each["mode"] for each in plane.ordered["to"]["gpus"]] == ["SPX/NPS1"]
    plane.agent("Succeeded", BEFORE)
    await plane.until("RolledBack")
    assert plane.told[-2:] == [("Warning", "RollingBack"), ("Warning", "RolledBack")]


async def test_a_plan_waits_for_its_approval() -> None:
    plane = Plane()
    await plane.until("AwaitingApproval")
    settled = len(plane.api.writes)
    for _ in range(3):
        assert await plane.step() == Result(requeue_after=LOOK_AGAIN_SECONDS)
    assert len(plane.api.writes) <= settled + 1
    (stored,) = plane.api.of(REPARTITION_PLANS)
    plane.api.put(REPARTITION_PLANS, stored | {"spec": stored["spec"] | {"approved": True}})
    await plane.until("Draining")


async def test_a_held_gpu_is_waited_for_until_the_deadline() -> None:
    plane = Plane(approval="Auto")
    plane.api.put(RESOURCE_CLAIMS, resource_claim("x", device=device_name(0, 0)))
    await plane.until("Draining")
    limit = DEADLINE_SECONDS[Phase.DRAINING]
    assert limit is not None
    plane.fed.clock.tick(limit)
    await plane.step()
    assert plane.status["phase"] == "Draining"
    plane.fed.clock.tick(1)
    await plane.step()
    assert plane.status["phase"] == "Failed"
    assert ORDER not in plane.api.writes


async def test_an_agent_that_does_not_answer_in_time_is_told_to_go_back() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    limit = DEADLINE_SECONDS[Phase.APPLYING]
    assert limit is not None
    plane.fed.clock.tick(limit + 1)
    await plane.until("RollingBack")


@pytest.mark.parametrize("paused", ["node", "policy"])
async def test_a_paused_node_stops_a_plan_before_the_hardware(paused: str) -> None:
    plane = Plane(approval="Auto")
    if paused == "node":
        plane.api.put(GPU_NODES, gpu_node("worker-0", BEFORE, paused=True))
    else:
        plane.api.put(GPU_SHARING_POLICIES, policy_object(paused=True))
    for _ in range(3):
        await plane.step()
    assert plane.status["phase"] == "Pending"
    assert "paused" in plane.status["message"]


async def test_a_dry_run_reports_and_changes_nothing() -> None:
    plane = Plane(approval="Auto", dryRun=True)
    plane.api.put(RESOURCE_CLAIMS, resource_claim("x", device=device_name(0, 0)))
    for _ in range(3):
        await plane.step()
    assert (plane.status["phase"], plane.ordered) == ("Pending", None)
    assert plane.status["message"].startswith("dry run, nothing is changed:")
    assert "in use" in plane.status["message"]


async def test_an_unchanged_message_is_not_written_again() -> None:
    plane = Plane("Applying")
    await plane.step()
    settled = list(plane.api.writes)
    for _ in range(3):
        await plane.step()
    assert plane.api.writes == settled


async def test_a_plan_that_moved_on_is_looked_at_again_soon() -> None:
    plane = Plane(approval="Auto")
    plane.api.before_write = refusing(STATUS_WRITE, Conflict(409, "Conflict", "the object has been modified"))
    assert await plane.step() == Result(requeue_after=SOON_SECONDS)
    assert (plane.told, plane.counted) == ([], [])
    await plane.until("Draining")


@pytest.mark.parametrize("phase", sorted(TERMINAL))
async def test_a_plan_that_is_over_is_left_alone(phase: Phase) -> None:
    plane = Plane(phase)
    assert await plane.step() == Result()
    assert plane.api.writes == []


async def test_the_operation_of_another_plan_is_left_alone() -> None:
    plane = Plane("Failed")
    stored = gpu_node("worker-0", BEFORE)
    layout = {"gpus": [{"bdf": BEFORE.bdf, "mode": "SPX/NPS1"}]}
    operation = {"id": "another", "from": layout, "to": layout}
    plane.api.put(GPU_NODES, stored | {"spec": stored["spec"] | {"operation": operation}})
    await plane.step()
    assert plane.api.writes == []
