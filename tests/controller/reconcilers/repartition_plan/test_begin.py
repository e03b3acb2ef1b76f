from typing import Any

import pytest

from tests.builders.gpu import bdf
from tests.builders.plan import plan, reservation
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, NEIGHBOUR, Plane

Rules = dict[str, Any]


def other(node: str = "worker-1", **fields: Any) -> Rules:
    return plan("other", node, **fields)


def closing() -> Rules:
    made = other("worker-0", phase="Succeeded")
    made["status"]["steps"] = [{"name": "Closing", "startTime": "2026-01-01T00:00:00Z"}]
    return made


def lately() -> Rules:
    return other("worker-0", phase="Succeeded", applied_until="2026-01-01T00:00:00Z")


def keeping() -> Rules:
    made = other(phase="Succeeded")
    made["status"]["reservations"] = [reservation(bdf(1), evictedTime="2026-01-01T00:00:00Z")]
    return made


SHUT = {"windows": [{"days": ["Sat"], "start": "01:00", "end": "02:00"}]}  # the clock of the tests shows a Thursday


@pytest.mark.parametrize(
    ("others", "rules", "want"),
    [
        pytest.param([other("worker-0", phase="Draining")], {}, "plan other of the same node", id="same node"),
        pytest.param([closing()], {}, "plan other of the same node", id="same node, not tidied up"),
        pytest.param([other(phase="Draining")], {}, "maxParallelNodes 1", id="another node"),
        pytest.param([other(phase="Draining")], {"maxParallelNodes": 2}, None, id="two nodes may"),
        pytest.param([other(phase="Draining", dry_run=True)], {}, None, id="a dry run counts for nothing"),
        pytest.param([other(phase="AwaitingApproval")], {}, None, id="nor does one that waits for a person"),
        pytest.param([lately()], {}, "next change after 2026-01-01T00:10Z", id="changed lately"),
        pytest.param(
            [lately()], {"cooldown": "1s"}, "next change after 2026-01-01T00:01Z", id="changed lately, short rest"
        ),
        pytest.param([], SHUT, "next window opens on Sat", id="outside the windows"),
        pytest.param([keeping()], {}, "maxUnavailablePods 1", id="pods are down already"),
        pytest.param([keeping()], {"maxUnavailablePods": 2}, None, id="one more may be"),
        pytest.param([], {}, None, id="nothing in the way"),
        pytest.param([], {"enabled": False}, None, id="a plan by hand needs no leave to plan"),
    ],
)
async def test_the_rules_hold_when_a_plan_begins(others: list[Rules], rules: Rules, want: str | None) -> None:
    plane = Plane("Pending", BEFORE, NEIGHBOUR, approved=True)
    plane.policy(repartition=rules)
    plane.serves("web-1")
    for each in others:
        plane.put_plan(each)
    await plane.settle()
    assert (plane.status["phase"] == "Pending") is (want is not None), plane.status["message"]
    assert (want or "") in plane.status["message"]


async def test_plans_that_begin_together_count_though_the_informer_shows_them_late() -> None:
    plane = Plane(approved=True)
    plane.policy()
    second = other()
    plane.put_plan(second | {"spec": second["spec"] | {"approved": True}})
    plane.show()
    plane.fed.add_node("worker-1", BEFORE)
    await plane.look("plan-1")
    await plane.look("other")
    assert plane.status["phase"] == "Draining"
    assert plane.stored("other")["status"]["phase"] == "Pending"


async def test_without_a_policy_a_plan_by_hand_begins() -> None:
    plane = Plane(approved=True)
    await plane.until("Applying")
