from typing import Any

import pytest

from controller.placement.snapshot import Gpu
from tests.builders.gpu import bdf
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, NEIGHBOUR, Plane


def serving(*gpus: Gpu, **spec: Any) -> Plane:
    plane = Plane("Pending", *gpus, **spec)
    plane.policy()
    plane.serves("web-1")
    return plane


async def test_a_person_sees_who_moves_from_where_to_where() -> None:
    plane = serving(BEFORE, NEIGHBOUR)
    await plane.settle()
    assert plane.status["phase"] == "AwaitingApproval"
    assert plane.status["affectedPods"] == [{"namespace": "team-a", "name": "web-1"}]
    assert plane.status["before"] == [f"team-a/web-1: worker-0 {bdf(0)}/0 SPX/NPS1"]
    assert plane.status["after"] == [f"team-a/web-1: worker-0 {bdf(1)}/0 SPX/NPS1"]
    assert plane.status["message"].endswith("1 pod has to move")
    assert (plane.status["reservations"], plane.api.evictions) == ([], [])


@pytest.mark.parametrize(
    ("gpus", "spec", "want"),
    [
        pytest.param((BEFORE,), {}, "cannot yet: pod team-a/web-1", id="no place"),
        pytest.param((BEFORE, NEIGHBOUR), {"approval": "Auto"}, "by a person's approval", id="nobody approved"),
    ],
)
async def test_what_holds_a_move_up_is_told(gpus: tuple[Gpu, ...], spec: dict[str, Any], want: str) -> None:
    plane = serving(*gpus, dryRun=True, **spec)
    await plane.settle()
    assert plane.status["after"] == ["team-a/web-1: no place"]
    assert want in plane.status["message"]


async def test_where_nobody_is_in_the_way_that_is_told() -> None:
    plane = Plane()
    await plane.settle()
    assert (plane.status["affectedPods"], plane.status["before"]) == ([], [])
    assert plane.status["message"].endswith("no pod has to move")


async def test_the_report_follows_what_happens_while_the_plan_waits() -> None:
    plane = serving(BEFORE, NEIGHBOUR)
    await plane.settle()
    plane.serves("web-2", 1)
    await plane.settle()
    assert plane.status["after"] == ["team-a/web-1: no place"]
