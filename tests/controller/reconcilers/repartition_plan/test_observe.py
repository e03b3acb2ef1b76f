from typing import Any

import pytest

from api.v1beta1 import GPUNode, RepartitionPlan
from controller.placement.snapshot import Gpu
from controller.reconcilers.repartition_plan.observe import (
    Seen,
    advertised,
    holders_of,
    observe,
    operation_id,
    reported,
)
from controller.repartition.phases import TERMINAL, Event, Phase
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan
from tests.builders.resource_claim import resource_claim
from tests.builders.resource_slice import resource_slice

BEFORE, AFTER = gpu(0, "SPX/NPS1"), gpu(0, "CPX/NPS1")
OURS = "plan-plan-1"  # the builder's uid of that plan


def the_plan(
    phase: str = "Pending", *, to: str = "CPX/NPS1", numbers: tuple[int, ...] = (0,), **spec: Any
) -> RepartitionPlan:
    made = plan(phase=phase, numbers=numbers)
    made["spec"] |= {"to": {"gpus": [{"bdf": bdf(number), "mode": to} for number in numbers]}} | spec
    return RepartitionPlan.model_validate(made)


def with_gpus(*gpus: Gpu) -> FedCluster:
    fed = FedCluster()
    fed.add_node("worker-0", *gpus)
    return fed


def agent_says(fed: FedCluster, **progress: Any) -> None:
    made = gpu_node("worker-0", BEFORE)
    fed.put(fed.cluster.gpu_nodes, made | {"status": made["status"] | {"operation": progress}})


def test_the_way_back_is_an_operation_of_its_own() -> None:
    assert (operation_id(the_plan(), rollback=False), operation_id(the_plan(), rollback=True)) == (
        OURS,
        f"{OURS}-rollback",
    )


# Approval.


@pytest.mark.parametrize("phase", ["Pending", "AwaitingApproval"])
@pytest.mark.parametrize("spec", [{"approved": True}, {"approval": "Auto"}], ids=["approved", "needs none"])
def test_an_approved_plan_goes_on(phase: str, spec: dict[str, Any]) -> None:
    assert observe(FedCluster().cluster, the_plan(phase, **spec)).event is Event.APPROVED


@pytest.mark.parametrize(("phase", "want"), [("Pending", Event.APPROVAL_NEEDED), ("AwaitingApproval", None)])
def test_one_that_needs_approval_says_how_to_give_it(phase: str, want: Event | None) -> None:
    seen = observe(FedCluster().cluster, the_plan(phase))
    assert seen.event is want
    assert """kubectl patch rpp plan-1 --type merge -p '{"spec":{"approved":true}}'""" in seen.message


# Draining.


def test_gpus_that_nobody_holds_are_idle() -> None:
    assert observe(with_gpus(BEFORE).cluster, the_plan("Draining")).event is Event.IDLE


def test_a_node_without_inventory_is_waited_for() -> None:
    cluster = FedCluster().cluster
    assert holders_of(cluster, the_plan()) is None
    assert observe(cluster, the_plan("Draining")).event is None


@pytest.mark.parametrize(
    ("admin", "number", "want"),
    [
        pytest.param(False, 0, [f"{bdf(0)}/0"], id="somebody's device"),
        pytest.param(True, 0, [f"{bdf(0)}/0"], id="a device under adminAccess"),
        pytest.param(False, 1, [], id="a GPU that the plan does not touch"),
    ],
)
def test_who_holds_the_gpus_of_a_plan(admin: bool, number: int, want: list[str]) -> None:
    fed = with_gpus(BEFORE, gpu(1, "SPX/NPS1"))
    fed.put(fed.cluster.resource_claims, resource_claim("x", device=device_name(number, 0), admin=admin))
    assert holders_of(fed.cluster, the_plan()) == want
    seen = observe(fed.cluster, the_plan("Draining"))
    assert (seen.event is None) == bool(want)
    assert all(holder in seen.message for holder in want)


def test_a_bound_claim_holds_before_the_scheduler_has_confirmed_it() -> None:
    fed = with_gpus(gpu(0))
    fed.put(fed.cluster.claims, bound_claim())
    assert holders_of(fed.cluster, the_plan()) == [f"{bdf(0)}/0"]


def test_a_change_of_memory_mode_needs_every_gpu_of_the_node() -> None:
    fed = with_gpus(BEFORE, gpu(1, "SPX/NPS1"))
    fed.put(fed.cluster.resource_claims, resource_claim("x", device=device_name(1, 0)))
    assert holders_of(fed.cluster, the_plan(to="CPX/NPS4")) == [f"{bdf(1)}/0"]


# The agent's operation.


@pytest.mark.parametrize(
    ("phase", "progress", "want"),
    [
        pytest.param("Applying", {"id": "other", "phase": "Succeeded"}, None, id="another operation"),
        pytest.param("Applying", {"id": OURS, "phase": "Running"}, None, id="under way"),
        pytest.param("Applying", {"id": OURS, "phase": "Succeeded"}, Event.APPLIED, id="done"),
        pytest.param("Applying", {"id": OURS, "phase": "Failed", "message": "no"}, Event.APPLY_FAILED, id="failed"),
        pytest.param("Applying", {"id": OURS, "phase": "Failed", "message": "Busy: x"}, Event.DISTURBED, id="refused"),
        pytest.param("RollingBack", {"id": OURS, "phase": "Succeeded"}, None, id="the way there, when back is asked"),
        pytest.param(
            "RollingBack", {"id": f"{OURS}-rollback", "phase": "Succeeded"}, Event.RESTORED, id="the way back, done"
        ),
        pytest.param(
            "RollingBack",
            {"id": f"{OURS}-rollback", "phase": "Failed", "message": "no"},
            Event.APPLY_FAILED,
            id="the way back, failed",
        ),
    ],
)
def test_what_the_agent_reports(phase: str, progress: dict[str, Any], want: Event | None) -> None:
    fed = FedCluster()
    agent_says(fed, **progress)
    assert observe(fed.cluster, the_plan(phase)).event is want


def test_progress_is_told() -> None:
    fed = FedCluster()
    agent_says(fed, id=OURS, phase="Running", step="SetMemoryMode", progressPercent=40)
    assert observe(fed.cluster, the_plan("Applying")) == Seen(None, "the agent is at SetMemoryMode, 40 %")


@pytest.mark.parametrize("phase", ["Applying", "RollingBack"])
def test_an_operation_on_a_node_that_is_gone_is_refused(phase: str) -> None:
    assert observe(FedCluster().cluster, the_plan(phase)).event is Event.NODE_GONE


# Verifying.


@pytest.mark.parametrize(
    ("has", "publishes", "want"),
    [
        pytest.param(AFTER, AFTER, Event.VERIFIED, id="reported and advertised"),
        pytest.param(BEFORE, AFTER, Event.MISMATCHED, id="another mode"),
        pytest.param(AFTER, BEFORE, None, id="the driver still advertises the former partitions"),
        pytest.param(AFTER, None, None, id="the driver advertises nothing"),
        pytest.param(gpu(1, "CPX/NPS1"), AFTER, Event.MISMATCHED, id="the GPU is not reported"),
    ],
)
def test_what_is_verified(has: Gpu, publishes: Gpu | None, want: Event | None) -> None:
    fed = with_gpus(has)
    if publishes is not None:
        fed.put(fed.cluster.resource_slices, resource_slice("worker-0", publishes))
    assert observe(fed.cluster, the_plan("Verifying")).event is want


def test_devices_are_named_with_their_profile() -> None:
    assert reported(GPUNode.model_validate(gpu_node("worker-0", BEFORE))) == {f"{device_name(0, 0)} spx_nps1"}


def test_only_the_newest_generation_of_the_nodes_own_pool_counts() -> None:
    fed = FedCluster()
    for each in (
        resource_slice("worker-0", gpu(0, "CPX/NPS1"), generation=1),
        resource_slice("worker-0", gpu(0, "SPX/NPS1"), generation=2, number=1),
        resource_slice("worker-0", gpu(1, "SPX/NPS1"), generation=2, number=2),
        resource_slice("worker-0", gpu(2, "SPX/NPS1"), generation=9, driver="other.example.com"),
        resource_slice("worker-1", gpu(3, "SPX/NPS1"), generation=9),
    ):
        fed.put(fed.cluster.resource_slices, each)
    assert advertised(fed.cluster, "worker-0") == {f"{device_name(number, 0)} spx_nps1" for number in (0, 1)}


@pytest.mark.parametrize("phase", sorted(TERMINAL))
def test_nothing_happens_to_a_plan_that_is_over(phase: Phase) -> None:
    assert observe(FedCluster().cluster, the_plan(phase)).event is None
