"""Plans that regain GPUs by moving pods and change no mode, and those whose gain is gone."""

from typing import Any

from controller.reconcilers.repartition_plan.controller import RepartitionPlanReconciler
from tests.builders.gpu import bdf
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, NEIGHBOUR, Plane

SAME: dict[str, Any] = {"gpus": [{"bdf": bdf(0), "mode": "SPX/NPS1"}]}
GAIN: dict[str, Any] = {"gpus": 1, "bytes": 1 << 30, "claims": 0, "summary": "1 GPU"}


def emptying(**spec: Any) -> Plane:
    """A pod on the plan's GPU, an idle GPU beside it."""
    changes: dict[str, Any] = {"from": SAME, "to": SAME, "gain": GAIN} | spec
    plane = Plane("Pending", BEFORE, NEIGHBOUR, **changes)
    plane.policy()
    plane.serves("web-1")
    return plane


async def test_pods_leave_for_places_that_are_kept_and_no_mode_is_touched() -> None:
    plane = emptying(approved=True)
    await plane.until("Succeeded")
    assert plane.steps == ["Draining", "Closing"]
    assert plane.api.evictions == [("web-1", "uid-web-1")]
    assert [(one["pod"], one["bdf"]) for one in plane.status["reservations"]] == [("web-1", bdf(1))]
    assert plane.ordered is None
    assert (plane.condition("Succeeded") or {})["status"] == "True"


async def test_without_an_approval_nobody_is_asked_to_leave() -> None:
    plane = emptying()
    await plane.settle()
    assert (plane.status["phase"], plane.api.evictions) == ("AwaitingApproval", [])
    assert plane.status["cost"]["evictions"] == 1


async def test_a_plan_with_nothing_to_gain_any_more_ends_unless_a_person_approved_it() -> None:
    for approved, want in ((False, "Failed"), (True, "Succeeded")):
        plane = emptying(approved=approved)
        plane.reconciler = losing(plane.reconciler)
        await plane.until(want)
    plane = emptying()
    plane.reconciler = losing(plane.reconciler)
    await plane.until("Failed")
    assert (plane.condition("Succeeded") or {})["reason"] == "GainLost"
    assert (plane.status["message"], plane.api.evictions) == ("gone; nothing was changed", [])


def losing(reconciler: RepartitionPlanReconciler) -> RepartitionPlanReconciler:
    reconciler._lost = lambda _: "gone; nothing was changed"
    return reconciler
