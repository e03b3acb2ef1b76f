"""The record on the wire, and timings that cannot work."""

import doctest
from datetime import UTC, datetime, timedelta, timezone
from math import nan

import pytest

from controller.runtime import election
from controller.runtime.election.lease import LeaseRecord, LeaseTiming, micro_time


def test_the_example_in_the_packages_docstring() -> None:
    result = doctest.testmod(election)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("timing", "want_error"),
    [
        pytest.param((0, -1.0, 0.1), "duration 0 s: give whole seconds, 1 or more", id="a duration of nothing"),
        pytest.param((2.5, 1.0, 0.1), "duration 2.5 s: give whole seconds", id="the API keeps whole seconds"),
        pytest.param((10, 10.0, 2.0), "renew_deadline 10.0 s: give less than duration, 10 s", id="no margin"),
        pytest.param((10, nan, 2.0), "renew_deadline nan s: give less than duration", id="not a number"),
        pytest.param((15, 10.0, 0.0), "retry_period 0.0 s: give more than 0", id="trying without a pause"),
        pytest.param((15, 2.4, 2.0), "give more than retry_period 2.0 s x 1.2 = 2.4 s", id="no second try"),
    ],
)
def test_timings_that_cannot_work(timing: tuple[int, float, float], want_error: str) -> None:
    with pytest.raises(ValueError, match=want_error):
        LeaseTiming(*timing)


@pytest.mark.parametrize(
    ("timing", "want_seconds"),
    [(LeaseTiming(), 5.0), (LeaseTiming(2, 1.2, 0.3), 1.0)],
    ids=["half the deadline, so that there is a second try", "a second at least"],
)
def test_time_limit_of_a_request(timing: LeaseTiming, want_seconds: float) -> None:
    assert timing.request_timeout == want_seconds


def test_a_standby_looks_more_often_than_a_leader_renews_and_not_at_a_fixed_beat() -> None:
    timing = LeaseTiming(retry_period=2.0)
    assert timing.acquire_wait(0.0) == pytest.approx(2.0 / 1.2)
    assert timing.acquire_wait(1.0) == pytest.approx(2.0 / 1.2 / 1.2)


def test_a_record_survives_the_wire() -> None:
    record = LeaseRecord("host_uuid", 15, "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:02.000000Z", 3)
    assert LeaseRecord.of(record.spec()) == record


@pytest.mark.parametrize(
    "spec",
    [{}, {"holderIdentity": None, "renewTime": None, "leaseDurationSeconds": None}, {"strategy": "OldestEmulation"}],
    ids=["a new Lease", "nulls", "fields that are not ours"],
)
def test_what_is_missing_is_empty(spec: dict[str, object]) -> None:
    assert LeaseRecord.of(spec) == LeaseRecord()


def test_times_are_written_in_utc_with_microseconds() -> None:
    wall = datetime(2026, 1, 1, 2, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert micro_time(wall) == "2026-01-01T00:00:00.000005Z"
    assert micro_time(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000000Z"
