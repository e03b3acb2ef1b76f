import pytest

from tests.soak.__main__ import passed
from tests.soak.slope import Sample
from tests.soak.soak import NAME, Outcome
from tests.soak.verdict import Finding, Limit, Verdict, after_warm_up, judge, limits

LIMIT = Limit("MB", 8.0, "said so")


def rising(per_hour: float, wobble: float = 0.0) -> list[Sample]:
    return [Sample(t, 70 + per_hour * t / 3600 + wobble * (t // 60 % 2)) for t in range(0, 1800, 5)]


@pytest.mark.parametrize(
    ("per_hour", "wobble", "want"),
    [
        pytest.param(0.0, 0.0, Finding.FLAT, id="a level"),
        pytest.param(7.9, 0.0, Finding.FLAT, id="growth below the limit"),
        pytest.param(8.1, 0.0, Finding.RISING, id="growth above the limit"),
        pytest.param(-50.0, 0.0, Finding.FLAT, id="a fall"),
        pytest.param(4.0, 9.0, Finding.UNDECIDED, id="too much noise to tell"),
        pytest.param(60.0, 1.0, Finding.RISING, id="growth beyond all noise"),
    ],
)
def test_a_verdict_asks_the_whole_interval(per_hour: float, wobble: float, want: Finding) -> None:
    assert judge("rss_mb", rising(per_hour, wobble), LIMIT).finding is want


def test_a_verdict_shows_what_it_rests_on() -> None:
    found = judge("rss_mb", rising(36.0), LIMIT)
    assert (found.metric, found.unit, found.limit_per_hour) == ("rss_mb", "MB", 8.0)
    assert [found.first, found.last, found.per_hour] == pytest.approx([70.0, 87.95, 36.0])


def test_the_warm_up_is_left_out() -> None:
    kept = after_warm_up([Sample(t, 0) for t in range(0, 101, 10)], share=0.4)
    assert [sample.seconds for sample in kept] == [40, 50, 60, 70, 80, 90, 100]


def test_every_figure_has_a_limit_and_its_reason() -> None:
    found = limits(NAME)
    assert set(found) == {"rss_mb", "tasks", "descriptors"}
    assert all(limit.why and limit.per_hour > 0 for limit in found.values())


def outcome(unreconciled: int, *findings: Finding) -> Outcome:
    rows = [Verdict("rss_mb", "MB", 1, 1, 0, (0, 0), 8, finding) for finding in findings]
    return Outcome({}, 1, 1, 1, unreconciled, rows, [])


@pytest.mark.parametrize(
    ("unreconciled", "findings", "want"),
    [
        pytest.param(0, [Finding.FLAT, Finding.FLAT], True, id="flat and complete"),
        pytest.param(1, [Finding.FLAT], False, id="an object was left behind"),
        pytest.param(0, [Finding.FLAT, Finding.RISING], False, id="a figure rises"),
        pytest.param(0, [Finding.UNDECIDED], False, id="not shown to be flat"),
    ],
)
def test_a_soak_passes_when_nothing_grows_and_nothing_is_missing(
    unreconciled: int, findings: list[Finding], want: bool
) -> None:
    assert passed(outcome(unreconciled, *findings)) is want
