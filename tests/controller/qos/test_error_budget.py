"""How fast a budget is used up, and what has to happen before that is too fast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.qos.error_budget import (
    CALM_BURN,
    CALM_SECONDS,
    LEAST_SLOW,
    PERIOD_SECONDS,
    TIERS,
    WINDOWS,
    Budget,
    budget_of,
    burn_rate,
    limit_of,
    needed_share,
)
from controller.qos.slo_counts import RequestCounts, Tally

NOW = 1_800_000_000.0 - 1
P99 = needed_share(99, 99)
FAST, STEADY, CREEPING = TIERS


def minutes(share: float, back: int, until: int = 0, requests: int = 1000) -> list[tuple[float, Tally]]:
    """Each minute from `back` minutes ago to `until` ago: so many requests, that share of them slow."""
    return [(NOW - 60 * ago, Tally(requests, round(share * requests))) for ago in range(back, until, -1)]


def judged(*events: tuple[float, Tally], needed: float = P99, now: float = NOW) -> Budget:
    counts = RequestCounts()
    for moment, tally in sorted(events, key=lambda event: event[0]):
        counts.add(moment, tally)
    return budget_of(counts, needed, now)


def test_what_is_needed_is_the_percentile_for_the_time_that_is_meant() -> None:
    assert needed_share(99, 99) == pytest.approx(0.9801)
    assert needed_share(99.9, 100) == pytest.approx(0.999)


@pytest.mark.parametrize(("percentile", "objective"), [(100, 99), (0, 99), (99, 0), (99, 101)])
def test_a_share_that_leaves_no_budget_or_asks_nothing_is_refused(percentile: float, objective: float) -> None:
    with pytest.raises(ValueError, match="write one such as"):
        needed_share(percentile, objective)


def test_exactly_what_is_allowed_burns_at_one() -> None:
    assert burn_rate(Tally(10_000, 199), P99) == pytest.approx(1.0)
    assert burn_rate(Tally(), P99) == 0.0


def test_exactly_what_is_allowed_is_not_too_fast_whatever_the_digits_of_a_quotient() -> None:
    assert burn_rate(Tally(1000, 100), needed_share(90, 100)) > 1
    assert judged(*minutes(0.1, back=4500), needed=needed_share(90, 100)).tier is None


def test_a_service_that_keeps_its_objective_burns_nothing_and_has_its_budget() -> None:
    budget = judged(*minutes(0.0, back=90))
    assert (budget.tier, budget.burn, budget.left, budget.attainment, budget.calm) == (None, 0.0, 1.0, 1.0, True)


def test_without_requests_nothing_is_said() -> None:
    budget = judged()
    assert (budget.windows, budget.tier, budget.left, budget.attainment, budget.calm) == ((), None, None, None, True)


@pytest.mark.parametrize(
    ("events", "want"),
    [
        pytest.param(minutes(0.31, back=70), FAST, id="15 times as much for an hour"),
        pytest.param(minutes(0.15, back=400), STEADY, id="7 times as much for six hours"),
        pytest.param(minutes(0.03, back=4500), CREEPING, id="one and a half as much for three days"),
        pytest.param(minutes(0.018, back=4500), None, id="less than allowed for three days"),
        pytest.param(
            [*minutes(0.0, back=4500, until=4), *minutes(1.0, back=4)], None, id="four bad minutes after good days"
        ),
        pytest.param(
            [*minutes(0.5, back=90, until=10), *minutes(0.0, back=10)],
            STEADY,
            id="a bad hour that is over is not fast any more",
        ),
        pytest.param(
            [*minutes(0.5, back=500, until=400), *minutes(0.0, back=400)], None, id="a bad hour seven hours ago"
        ),
    ],
)
def test_a_tier_needs_the_long_window_and_the_short_one(events: list[tuple[float, Tally]], want: object) -> None:
    assert judged(*events).tier is want


@pytest.mark.parametrize(("slow", "want"), [(LEAST_SLOW - 1, None), (LEAST_SLOW, FAST)])
def test_a_few_slow_requests_say_nothing(slow: int, want: object) -> None:
    assert judged((NOW - 30, Tally(slow, slow))).tier is want


@pytest.mark.parametrize(
    ("percentile", "objective", "want"),
    [
        (50, 99, [1.49, 1.49, 1.0]),
        (90, 99, [5.08, 5.08, 1.0]),
        (95, 99, [8.9, 6.0, 1.0]),
        (99, 99, [14.4, 6.0, 1.0]),
        (99.9, 100, [14.4, 6.0, 1.0]),
        (50, 0.001, [1.0, 1.0, 1.0]),
    ],
)
def test_what_allows_many_slow_requests_burns_too_fast_when_half_of_those_needed_are_missing(
    percentile: float, objective: float, want: list[float]
) -> None:
    needed = needed_share(percentile, objective)
    assert [limit_of(tier, needed) for tier in TIERS] == pytest.approx(want)


@pytest.mark.parametrize(
    ("share", "want"),
    [
        pytest.param(0.5, None, id="as many as allowed"),
        pytest.param(0.74, CREEPING, id="hardly more than half of those needed in time"),
        pytest.param(0.76, FAST, id="less than half of those needed in time"),
    ],
)
def test_a_median_burns_too_fast_when_most_requests_are_slow(share: float, want: object) -> None:
    budget = judged(*minutes(share, back=4500), needed=needed_share(50, 99))
    assert budget.tier is want
    assert budget.limit == (0.0 if budget.tier is None else limit_of(budget.tier, budget.needed))


def test_the_burn_is_that_of_the_tiers_long_window() -> None:
    budget = judged(*minutes(0.0, back=200, until=30), *minutes(1.0, back=30))
    hour = next(window for window in budget.windows if window.seconds == FAST.long_seconds)
    assert budget.tier is FAST
    assert budget.burn == hour.burn > FAST.burn


def test_more_than_the_budget_is_a_debt() -> None:
    assert judged(*minutes(0.04, back=60)).left == pytest.approx(1 - 0.04 / (1 - P99))


def test_calm_takes_hours_without_much_burn() -> None:
    bad = minutes(0.5, back=30)
    ago = [judged(*bad, now=NOW + hours * 3600).calm for hours in (0, 1, 3, 5, 7)]
    assert ago == [False, False, False, False, True]


def test_less_than_allowed_is_not_calm_yet() -> None:
    assert [judged(*minutes(share, back=200)).calm for share in (0.004, 0.015)] == [True, False]


def test_a_bad_hour_of_few_requests_is_not_calm_though_hours_before_it_were_busy() -> None:
    budget = judged(*minutes(0.0, back=350, until=70, requests=10_000), *minutes(0.5, back=50, requests=10))
    assert budget.tier is FAST
    assert not budget.calm


@given(st.lists(st.tuples(st.integers(0, PERIOD_SECONDS), st.integers(0, 99), st.integers(0, 99)), max_size=30))
def test_what_burns_is_not_calm_and_the_windows_are_told_in_order(drawn: list[tuple[int, int, int]]) -> None:
    budget = judged(*((NOW - ago, Tally(good + slow, slow)) for ago, good, slow in drawn))
    assert not (budget.calm and budget.tier)
    told = [window.seconds for window in budget.windows]
    assert told == [seconds for seconds in WINDOWS if seconds in told]
    lately = next((window.burn for window in budget.windows if window.seconds == CALM_SECONDS), 0.0)
    assert not budget.calm or lately < CALM_BURN
    if budget.tier is not None:
        assert budget.burn > budget.tier.burn


@given(st.lists(st.tuples(st.integers(0, PERIOD_SECONDS), st.integers(1, 99)), min_size=1, max_size=20))
def test_one_more_slow_request_never_lowers_a_burn(drawn: list[tuple[int, int]]) -> None:
    events = [(NOW - ago, Tally(requests)) for ago, requests in drawn]
    before, after = judged(*events), judged(*events, (NOW, Tally(1, 1)))
    burns = {window.seconds: window.burn for window in after.windows}
    assert all(burns[window.seconds] >= window.burn for window in before.windows)
