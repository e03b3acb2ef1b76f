from typing import Any

import pytest

from controller.reconcilers.repartition_plan.closing import KEPT_SECONDS
from controller.reconcilers.repartition_plan.controller import REPORT_AGAIN_SECONDS
from controller.runtime.client.core import PODS
from controller.runtime.reconcile import Result
from controller.state.kinds import GPU_NODES
from tests.builders.gpu import bdf
from tests.builders.plan import plan, reservation
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, NEIGHBOUR, OURS, Plane

EVICTED = "2026-01-01T00:00:00Z"


def ended(phase: str = "Succeeded", *places: dict[str, Any], operation: str | None = OURS) -> Plane:
    """A plan that has ended just now, with nothing tidied up yet."""
    plane = Plane(phase, BEFORE, NEIGHBOUR)
    (node,) = plane.api.of(GPU_NODES)
    layout = {"gpus": [{"bdf": bdf(0), "mode": "SPX/NPS1"}]}
    if operation is not None:
        order = {"id": operation, "from": layout, "to": layout}
        plane.api.put(GPU_NODES, node | {"spec": node["spec"] | {"operation": order}})
    stored = plane.stored()
    closing = {"name": "Closing", "startTime": "2026-01-01T00:00:00Z"}
    plane.put_plan(stored | {"status": stored["status"] | {"steps": [closing], "reservations": list(places)}})
    return plane


@pytest.mark.parametrize("phase", ["Succeeded", "RolledBack", "Failed"])
@pytest.mark.parametrize("operation", [OURS, f"{OURS}-2", f"{OURS}-rollback", f"{OURS}-rollback-3", None])
async def test_every_end_is_tidied_up_once(phase: str, operation: str | None) -> None:
    plane = ended(phase, operation=operation)
    assert await plane.settle() == Result()
    assert (plane.ordered, plane.plugins.asked) == (None, ["resume worker-0"])
    (step,) = plane.status["steps"]
    assert (step["result"], "endTime" in step) == ("Done", True)


async def test_the_operation_of_another_plan_is_left_alone() -> None:
    plane = ended(operation="another")
    await plane.settle()
    assert plane.ordered is not None


async def test_the_exporter_stays_away_while_another_plan_needs_it_gone() -> None:
    plane = ended()
    plane.put_plan(plan("other", phase="Quiescing"))
    await plane.settle()
    assert plane.plugins.asked == []
    assert plane.status["steps"][-1]["result"] == "Done"


async def test_a_place_is_kept_until_the_successor_serves() -> None:
    plane = ended("Succeeded", reservation(bdf(1), evictedTime=EVICTED))
    assert await plane.settle() == Result(requeue_after=REPORT_AGAIN_SECONDS)
    assert len(plane.status["reservations"]) == 1
    plane.serves("web-2", 1)
    plane.ready("web-2", "False")
    await plane.settle()
    assert len(plane.status["reservations"]) == 1
    plane.ready("web-2", "True")
    assert await plane.settle() == Result()
    assert plane.status["reservations"] == []


async def test_a_place_is_given_up_once_the_successor_serves_from_another() -> None:
    plane = ended("Succeeded", reservation(bdf(1), evictedTime=EVICTED))
    plane.serves("web-2", 0, created=EVICTED)
    assert await plane.settle() == Result()
    assert plane.status["reservations"] == []


async def test_a_place_is_not_kept_for_ever() -> None:
    plane = ended("Succeeded", reservation(bdf(1), evictedTime=EVICTED))
    await plane.settle()
    plane.fed.clock.tick(KEPT_SECONDS + 1)
    assert await plane.settle() == Result()
    assert plane.status["reservations"] == []
    assert plane.api.of(PODS) == []


async def test_nor_for_a_replica_set_that_never_has_its_pod() -> None:
    plane = ended("Succeeded", reservation(bdf(1), pod="web-old", evictedTime=EVICTED))
    metadata = {"name": "web", "namespace": "team-a", "uid": "rs-1"}
    plane.fed.listed(plane.fed.cluster.replica_sets, {"metadata": metadata, "spec": {"replicas": 1}})
    plane.serves("web-new", 1, created=EVICTED)
    plane.ready("web-new", "False")
    plane.fed.clock.tick(KEPT_SECONDS - 1)
    await plane.settle()
    assert len(plane.status["reservations"]) == 1
    plane.fed.clock.tick(2)
    assert await plane.settle() == Result()
    assert plane.status["reservations"] == []
