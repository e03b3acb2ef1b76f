"""The condition SLOMet, and when a service's objectives are looked at again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.v1beta1 import InferenceService
from controller.reconcilers.inference_service.objectives import LOOK_SECONDS, LOOK_SELDOM_SECONDS, levels_of
from tests.builders.inference_service import inference_service
from tests.builders.request_counts import shard_counts, steadily

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = {"metric": "timeToFirstToken", "threshold": "500ms"}
WAIT = {"metric": "queueWait", "threshold": "1000ms"}

Spans = list[tuple[float, int, int]]


def service(spans: Spans, *more: dict[str, Any], slo: list[dict[str, Any]] | None = None) -> InferenceService:
    counts = [shard_counts(NOW, spans)] if spans else []
    return inference_service(qos={"slo": [FIRST] if slo is None else slo}, status={"requestCounts": [*counts, *more]})


@pytest.mark.parametrize(
    ("spans", "want"),
    [
        pytest.param([], ("Unknown", "NoRequests"), id="nobody asked"),
        pytest.param(steadily(0.0, 90), ("True", "WithinBudget"), id="all in time"),
        pytest.param(steadily(0.5, 90), ("False", "BudgetBurns"), id="half of them late for long"),
        pytest.param(
            [(40 * 60, 100, 100), (60 * 60, 100, 0)], ("False", "BudgetSpent"), id="late two days ago, and few since"
        ),
        pytest.param([(1, 5, 1)], ("Unknown", "FewRequests"), id="one of five late"),
    ],
)
def test_it_says_whether_objectives_are_met(spans: Spans, want: tuple[str, str]) -> None:
    verdict = levels_of(service(spans), NOW.timestamp()).verdict
    assert verdict is not None
    assert verdict[:2] == want


def test_without_objectives_there_is_nothing_to_say() -> None:
    levels = levels_of(service(steadily(0.5, 90), slo=[]), NOW.timestamp())
    assert (levels.verdict, levels.status, levels.worst, levels.look_after) == (None, [], None, None)


def test_a_burn_is_told_in_figures() -> None:
    verdict = levels_of(service(steadily(0.5, 90)), NOW.timestamp()).verdict
    assert verdict is not None
    assert verdict[2] == (
        "timeToFirstToken p99 500ms: 25.13 times as many requests as allowed were beyond it in 1h, and more than 14.4 "
        "times as many in 5m, too; 50 % of the requests of 30 days were within it, and the error budget is spent 25.1 "
        "times over"
    )


def test_a_burn_that_is_the_fastest_there_can_be_is_told_with_what_is_too_fast() -> None:
    given = service(steadily(1.0, 90), slo=[FIRST | {"percentile": "p50"}])
    verdict = levels_of(given, NOW.timestamp()).verdict
    assert verdict is not None
    assert verdict[2].startswith(
        "timeToFirstToken p50 500ms: 1.99 times as many requests as allowed were beyond it in 1h, and more than 1.49 "
        "times as many in 5m, too"
    )


def test_of_several_objectives_the_fastest_burn_is_told() -> None:
    late = shard_counts(NOW, steadily(0.9, 90), shard=1, metric="queueWait", threshold="1000ms")
    levels = levels_of(service(steadily(0.2, 400), late, slo=[FIRST, WAIT]), NOW.timestamp())
    assert [one.burning for one in levels.status] == ["6", "14.4"]
    assert str(levels.worst) == "queueWait p99 1000ms"
    assert not levels.calm


def test_counts_that_cannot_be_read_are_told_where_the_rest_says_nothing_worse() -> None:
    broken = {"shard": 3, "time": "2026-03-01T12:00:00Z", "objectives": [FIRST | {"counts": "60@1=2-3"}]}
    verdicts = [levels_of(service(spans, broken), NOW.timestamp()).verdict for spans in ([], steadily(0.5, 90))]
    assert [verdict and verdict[1] for verdict in verdicts] == ["CountsUnreadable", "BudgetBurns"]
    assert verdicts[0] is not None
    assert verdicts[0][2].startswith("what shard 3 of the gateway counted: counts '2-3'")


@pytest.mark.parametrize(
    ("minutes", "want"),
    [(0, LOOK_SECONDS), (5 * 60, LOOK_SECONDS), (24 * 60, LOOK_SELDOM_SECONDS), (40 * 24 * 60, None)],
)
def test_windows_move_on_by_themselves(minutes: int, want: float | None) -> None:
    assert levels_of(service([(minutes, 10, 0)]), NOW.timestamp()).look_after == want
