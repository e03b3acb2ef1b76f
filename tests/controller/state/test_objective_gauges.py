"""Statuses of services as rows of gauges."""

from typing import Any

from controller.state.objective_gauges import budget_rows, burn_rows
from tests.builders.inference_service import inference_service

LABELS = {"model": "team-a/chat", "metric": "timeToFirstToken", "percentile": "p99", "threshold": "500ms"}
WINDOWS = [
    {"window": "1h", "requests": 5, "attainment": "90", "burn": "5.03"},
    {"window": "6h", "requests": 9, "attainment": "100", "burn": "0"},
]


def status(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in LABELS.items() if name != "model"} | {"needed": "98.01"} | fields


def test_each_objective_tells_its_budget_and_the_burn_of_each_window() -> None:
    kept = status(metric="queueWait", budgetLeft="100")
    service = inference_service(status={"slo": [status(budgetLeft="-402.5", windows=WINDOWS), kept]})
    assert budget_rows([service]) == [(-4.025, LABELS), (1.0, LABELS | {"metric": "queueWait"})]
    assert burn_rows([service]) == [(5.03, LABELS | {"window": "1h"}), (0.0, LABELS | {"window": "6h"})]


def test_what_had_no_requests_tells_nothing() -> None:
    services = [inference_service(), inference_service(status={"slo": [status()]})]
    assert budget_rows(services) == burn_rows(services) == []
