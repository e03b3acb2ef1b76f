"""Statuses of services as rows of gauges."""

from typing import Any

from controller.state.objective_gauges import budget_rows, burn_rows, limit_rows, slow_rows
from tests.builders.inference_service import inference_service

TARGET = {"metric": "timeToFirstToken", "percentile": "p99", "threshold": "500ms"}
LABELS = ("team-a", "chat", "Qwen/Qwen3-4B", "timeToFirstToken", "p99", "500ms")
WINDOWS = [
    {"window": "1h", "requests": 3000, "attainment": "89.99", "burn": "5.03"},
    {"window": "6h", "requests": 9, "attainment": "100", "burn": "0"},
]


def status(**fields: Any) -> dict[str, Any]:
    return TARGET | {"needed": "98.01"} | fields


def test_each_objective_tells_its_budget_and_the_burn_of_each_window() -> None:
    kept = status(metric="queueWait", budgetLeft="100")
    service = inference_service(status={"slo": [status(budgetLeft="-402.5", windows=WINDOWS), kept]})
    of_waits = (*LABELS[:3], "queueWait", *LABELS[4:])
    assert budget_rows(service) == [(LABELS, -4.025), (of_waits, 1.0)]
    assert burn_rows(service) == [((*LABELS, "1h"), 5.03), ((*LABELS, "6h"), 0.0)]
    assert slow_rows(service) == [((*LABELS, "1h"), 300.0), ((*LABELS, "6h"), 0.0)]


def test_what_had_no_requests_tells_nothing() -> None:
    for service in (inference_service(), inference_service(status={"slo": [status()]})):
        assert budget_rows(service) == burn_rows(service) == limit_rows(service) == slow_rows(service) == []


def test_windows_of_a_tier_tell_which_burn_is_too_fast() -> None:
    windows = [WINDOWS[0] | {"window": window} for window in ("5m", "30m", "1h", "6h", "72h", "720h")]
    service = inference_service(status={"slo": [status(windows=windows), status(needed="49.5", windows=windows[:3])]})
    assert limit_rows(service) == [
        ((*LABELS, "1h"), 14.4),
        ((*LABELS, "6h"), 6.0),
        ((*LABELS, "72h"), 1.0),
        ((*LABELS, "1h"), 1.49),
    ]
