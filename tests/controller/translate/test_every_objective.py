"""Whatever objective may be written: who misses it with every request is told so, and who keeps it is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.v1beta1 import InferenceService
from api.v1beta1.service_level import Percentile
from controller.qos.error_budget import LEAST_SLOW, TIERS, limit_of, needed_share
from controller.reconcilers.inference_service.objectives import levels_of
from controller.state.objective_gauges import burn_rows, limit_rows, slow_rows
from controller.telemetry.families import Labels
from controller.translate.objectives import burn_text, percent_up
from tests.builders.inference_service import inference_service
from tests.builders.request_counts import shard_counts, steadily

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TARGET = {"metric": "timeToFirstToken", "threshold": "500ms"}
WITHIN_MINUTES = 65
"""The first tier's hour, and the span that its window reaches back further."""
GOOD = steadily(0.0, 4 * 1440, until=WITHIN_MINUTES, requests=3000)
ALL_SLOW = steadily(1.0, WITHIN_MINUTES, requests=30)

PERCENTILES = st.sampled_from(list(Percentile))
OBJECTIVES = st.one_of(st.integers(1, 100_000), st.sampled_from([1, 500, 1000, 99_000, 99_999, 100_000]))
"""In thousandths of a percent."""


def service(spans: list[tuple[float, int, int]], percentile: str, thousandths: int, now: datetime) -> InferenceService:
    slo = TARGET | {"percentile": percentile, "objective": f"{thousandths / 1000:g}"}
    return inference_service(qos={"slo": [slo]}, status={"requestCounts": [shard_counts(now, spans)]})


def told(given: InferenceService, now: datetime) -> InferenceService:
    """The service with the status that the operator writes."""
    status = given.status.model_copy(update={"slo": levels_of(given, now.timestamp()).status})
    return given.model_copy(update={"status": status})


def alerted(given: InferenceService) -> list[float]:
    """The tiers that an alert finds exceeded, by the figures that the operator exports of the status."""
    burns, limits, slow = (by_window(rows(given)) for rows in (burn_rows, limit_rows, slow_rows))
    found = []
    for tier in TIERS:
        over, still = f"{tier.long_seconds // 3600}h", {300: "5m", 1800: "30m", 21_600: "6h"}[tier.short_seconds]
        if burns[over] > limits[over] and burns[still] > limits[over] and slow[over] >= LEAST_SLOW:
            found.append(tier.burn)
    return found


def by_window(rows: list[tuple[Labels, float]]) -> dict[str, float]:
    return {labels[-1]: value for labels, value in rows}


@pytest.mark.parametrize("percentile", list(Percentile))
def test_the_burn_of_nothing_but_slow_requests_is_above_each_limit_as_both_are_told(percentile: Percentile) -> None:
    for thousandths in range(1, 100_001):
        needed = needed_share(float(percentile.removeprefix("p")), thousandths / 1000)
        burn = float(burn_text(1 / (1 - needed)))
        limits = [limit_of(tier, float(percent_up(needed)) / 100) for tier in TIERS]
        assert all(1 <= limit < burn for limit in limits), thousandths


@given(PERCENTILES, OBJECTIVES, st.integers(0, 299))
def test_who_misses_every_request_for_little_more_than_an_hour_is_told_after_whatever_good_days(
    percentile: Percentile, thousandths: int, seconds: int
) -> None:
    now = NOON + timedelta(seconds=seconds)
    given = service([*GOOD, *ALL_SLOW], percentile.value, thousandths, now)
    levels = levels_of(given, now.timestamp())
    (tier, *_) = TIERS
    assert levels.worst is not None
    assert levels.worst.budget.tier is tier
    assert alerted(told(given, now))[0] == tier.burn


@given(PERCENTILES, OBJECTIVES, st.floats(0, 1), st.integers(1, 4000))
def test_an_alert_finds_what_the_operator_found(
    percentile: Percentile, thousandths: int, share: float, minutes: int
) -> None:
    given = service(steadily(share, minutes, requests=1000), percentile.value, thousandths, NOON)
    (one,) = levels_of(given, NOON.timestamp()).objectives
    budget = one.budget
    burn = max(window.burn for window in budget.windows)
    # what is needed is told to a thousandth of a percent, which may move a limit by its last digit
    assume(all(abs(burn - limit_of(tier, budget.needed)) > 0.02 for tier in TIERS))
    fastest = [tier.burn for tier in TIERS if budget.tier is tier]
    assert alerted(told(given, NOON))[:1] == fastest
    assert burn > 1 or not fastest
