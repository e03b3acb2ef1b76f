import pytest

from controller.reconcilers.repartition_plan.cost import summary
from controller.repartition.disturbance import Disturbance
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, NEIGHBOUR, Plane


@pytest.mark.parametrize(
    ("cost", "want"),
    [
        pytest.param(Disturbance(0, 0.0, 0.0), "nobody is disturbed", id="an idle GPU that stays as it is"),
        pytest.param(Disturbance(1, 90.4, 0.0), "1 pod starts anew (1m30s)", id="a pod moves"),
        pytest.param(Disturbance(2, None, 0.0), "2 pods start anew", id="starts that nobody measured"),
        pytest.param(Disturbance(0, 0.0, None), "a mode change", id="a change that nobody measured"),
        pytest.param(Disturbance(2, 20.0, 45.0), "2 pods start anew (20s), a mode change (45s)", id="both"),
    ],
)
def test_the_cost_is_told_in_words(cost: Disturbance, want: str) -> None:
    assert summary(cost) == want


async def test_a_plan_that_waits_for_a_person_tells_its_cost() -> None:
    plane = Plane("Pending", BEFORE, NEIGHBOUR)
    plane.policy()
    plane.serves("web-1")
    started = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:03:20Z"},
    ]
    pod = plane.api.objects["pods", "team-a", "web-1"]
    pod["status"]["conditions"] = started
    await plane.settle()
    assert plane.status["cost"] == {
        "evictions": 1,
        "restartSeconds": 200,
        "summary": "1 pod starts anew (3m20s), a mode change",
    }
