"""The names that dashboards know, with the values of what happened."""

import asyncio

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from controller.runtime.controller import Controller
from controller.runtime.reconcile import Request, Result
from tests.fakes.clock import LoopClock


def points(reader: InMemoryMetricReader) -> dict[tuple[str, str], float]:
    """(metric, its labels' values) -> value, or the count of a histogram."""
    data = reader.get_metrics_data()
    found: dict[tuple[str, str], float] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else []:
        for point in metric.data.data_points:
            labels = ",".join(str(value) for value in (point.attributes or {}).values())
            found[metric.name, labels] = point.value if hasattr(point, "value") else point.count
    return found


@pytest.mark.looptime
async def test_two_controllers_on_one_meter() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("runtime")

    async def reconcile(request: Request) -> Result:
        if request.name == "bad":
            raise ValueError("bad")
        return Result()

    made = [Controller(name, reconcile, workers=2, clock=LoopClock(), meter=meter) for name in ("one", "two")]
    async with asyncio.TaskGroup() as tasks:
        for controller in made:
            tasks.create_task(controller.run())
            controller.enqueue(Request("", "good"))
        made[1].enqueue(Request("", "bad"))
        await asyncio.sleep(0.001)
        found = points(reader)
        for controller in made:
            controller.stop()
    assert found["controller_runtime_reconcile_total", "one,success"] == 1
    assert found["controller_runtime_reconcile_total", "two,error"] == 1
    assert found["controller_runtime_reconcile_errors_total", "two"] == 1
    assert found["controller_runtime_max_concurrent_reconciles", "one"] == 2
    assert found["controller_runtime_reconcile_time_seconds", "two"] == 2
    assert (found["workqueue_adds_total", "one"], found["workqueue_adds_total", "two"]) == (1, 2)
    assert (found["workqueue_retries_total", "one"], found["workqueue_retries_total", "two"]) == (0, 1)
