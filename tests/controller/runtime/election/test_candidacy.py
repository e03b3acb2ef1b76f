"""Each transition of a participant, and what it writes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.runtime.election.candidacy import Candidate, Phase, UnexpectedReport, step
from controller.runtime.election.lease import LeaseRecord, LeaseTiming
from controller.runtime.election.reports import (
    Do,
    Due,
    Failed,
    Found,
    Missing,
    Next,
    Refused,
    Report,
    Stop,
    Written,
)

TIMING = LeaseTiming(duration=15, renew_deadline=10, retry_period=2.4)  # looks every 2 s, without a draw
THEIRS = LeaseRecord("b", 15, "acquired", "renewed", 4)
OURS = LeaseRecord("a", 15, "acquired", "renewed", 5)
FREE = LeaseRecord("", 1, "acquired", "renewed", 4)

NEW = Candidate("a", TIMING)
STANDBY = replace(NEW, record=THEIRS, version="7", changed_at=100.0)
CLAIMED = replace(STANDBY, claimed=True)
LEADING = Candidate("a", TIMING, Phase.LEADING, OURS, "8", changed_at=100.0, valid_until=110.0, claimed=True)
RELEASING = replace(LEADING, phase=Phase.RELEASING)


@pytest.mark.parametrize(
    ("candidate", "report", "want"),
    [
        pytest.param(NEW, Due(0.0), Next(Do.READ), id="begins by looking"),
        pytest.param(NEW, Missing(0.0, 0.1), Next(Do.CREATE), id="there is no Lease: create it"),
        pytest.param(NEW, Found(FREE, "7", 0.0, 0.1), Next(Do.TAKE_OVER), id="given back: taken at once"),
        pytest.param(NEW, Found(THEIRS, "7", 0.0, 0.1), Next(Do.WAIT, 2.0), id="held, for all it can know"),
        pytest.param(STANDBY, Found(THEIRS, "7", 114.0, 114.1), Next(Do.WAIT, 115.0), id="looks when it runs out"),
        pytest.param(STANDBY, Found(THEIRS, "7", 114.9, 115.0), Next(Do.TAKE_OVER), id="unchanged for its duration"),
        pytest.param(STANDBY, Found(THEIRS, "9", 115.0, 115.1), Next(Do.WAIT, 117.0), id="changed: it lives"),
        pytest.param(STANDBY, Missing(114.0, 114.1), Next(Do.WAIT, 115.0), id="deleted under a leader that may live"),
        pytest.param(STANDBY, Missing(115.0, 115.1), Next(Do.CREATE), id="deleted, and the leader is gone"),
        pytest.param(STANDBY, Refused(115.0, 115.1), Next(Do.WAIT, 117.0), id="another was faster"),
        pytest.param(STANDBY, Failed("no answer", 115.0, 120.0), Next(Do.WAIT, 117.0), id="a hung look delays nothing"),
        pytest.param(STANDBY, Stop(101.0), Next(Do.END), id="a standby has nothing to give back"),
        pytest.param(CLAIMED, Stop(101.0), Next(Do.READ), id="a claim without answer may have been heard"),
        pytest.param(CLAIMED, Found(OURS, "8", 101.0, 101.1), Next(Do.RENEW), id="a claim whose answer was lost"),
        pytest.param(NEW, Found(OURS, "8", 0.0, 0.1), Next(Do.WAIT, 2.0), id="a former process of the same name"),
        pytest.param(CLAIMED, Written(OURS, "8", 101.0, 101.1), Next(Do.WAIT, 103.4), id="renews retry_period later"),
        pytest.param(CLAIMED, Written(OURS, "8", 101.0, 111.0), Next(Do.READ), id="got it, and heard of it too late"),
        pytest.param(LEADING, Due(102.0), Next(Do.RENEW), id="renews"),
        pytest.param(LEADING, Written(OURS, "9", 102.0, 102.5), Next(Do.WAIT, 104.4), id="renewed"),
        pytest.param(LEADING, Refused(102.0, 102.1), Next(Do.READ), id="refused: looks who changed it"),
        pytest.param(LEADING, Found(OURS, "9", 102.0, 102.1), Next(Do.RENEW), id="a lost answer, or a label"),
        pytest.param(LEADING, Found(FREE, "9", 102.0, 102.1), Next(Do.RENEW), id="somebody erased the holder"),
        pytest.param(LEADING, Missing(102.0, 102.1), Next(Do.CREATE), id="somebody deleted it"),
        pytest.param(LEADING, Failed("refused", 102.0, 102.1), Next(Do.WAIT, 104.4), id="refused connection: tries on"),
        pytest.param(LEADING, Failed("no answer", 102.0, 107.0), Next(Do.WAIT, 104.4), id="hung: tries at once"),
        pytest.param(LEADING, Stop(103.0), Next(Do.RELEASE), id="gives back"),
        pytest.param(RELEASING, Written(FREE, "9", 103.0, 103.1), Next(Do.END), id="given back"),
        pytest.param(RELEASING, Refused(103.0, 103.1), Next(Do.READ), id="given back over a renewal nobody heard of"),
        pytest.param(RELEASING, Found(OURS, "9", 103.0, 103.1), Next(Do.RELEASE), id="still ours"),
        pytest.param(RELEASING, Found(THEIRS, "9", 103.0, 103.1), Next(Do.END), id="somebody's already"),
        pytest.param(RELEASING, Missing(103.0, 103.1), Next(Do.END), id="nothing there"),
        pytest.param(RELEASING, Failed("no answer", 103.0, 108.0), Next(Do.END), id="it runs out by itself"),
    ],
)
def test_what_comes_next(candidate: Candidate, report: Report, want: Next) -> None:
    assert step(candidate, report)[1] == want


@pytest.mark.parametrize(
    ("report", "want_why"),
    [
        pytest.param(Found(THEIRS, "9", 102.0, 102.1), "'b' holds it now", id="another holder"),
        pytest.param(Due(110.0), "not renewed within 10 s", id="woken too late, after a SIGSTOP for one"),
        pytest.param(
            Written(OURS, "9", 109.0, 110.0), "not renewed within 10 s", id="renewed, and heard of it too late"
        ),
        pytest.param(Failed("no answer", 109.0, 110.0), "not renewed within 10 s", id="the last try failed"),
        pytest.param(Stop(110.0), "not renewed within 10 s", id="told to stop too late"),
    ],
)
def test_lost(report: Report, want_why: str) -> None:
    lost, then = step(LEADING, report)
    assert (lost.phase, then) == (Phase.LOST, Next(Do.GIVE_UP, why=want_why))


def test_the_last_trouble_is_told_when_the_lease_is_lost() -> None:
    candidate, _ = step(LEADING, Failed("connection refused", 102.0, 102.1))
    assert step(candidate, Due(110.0))[1].why == "not renewed within 10 s (connection refused)"
    renewed, _ = step(candidate, Written(OURS, "9", 104.0, 104.1))
    assert step(renewed, Due(114.0))[1].why == "not renewed within 10 s"


@pytest.mark.parametrize("candidate", [CLAIMED, LEADING], ids=["got", "renewed"])
def test_validity_counts_from_before_the_request_was_sent(candidate: Candidate) -> None:
    assert step(candidate, Written(OURS, "9", sent=104.0, now=108.0))[0].valid_until == 114.0


def test_another_holders_time_counts_from_when_its_change_was_seen() -> None:
    assert step(STANDBY, Found(THEIRS, "9", sent=104.0, now=108.0))[0].run_out_at == 123.0


@pytest.mark.parametrize(
    ("seconds", "want"), [(4, 104.0), (0, 115.0)], ids=["what its holder promised", "our own where it promised nothing"]
)
def test_how_long_a_record_is_good(seconds: int, want: float) -> None:
    assert replace(STANDBY, record=replace(THEIRS, lease_duration_seconds=seconds)).run_out_at == want


def test_a_version_that_comes_twice_after_a_restore_is_a_change() -> None:
    restored = replace(THEIRS, renew_time="before")
    assert step(STANDBY, Found(restored, "7", 104.0, 104.1))[0].changed_at == 104.1


@pytest.mark.parametrize(
    ("candidate", "do", "want"),
    [
        pytest.param(NEW, Do.CREATE, ("a", 15, "NOW", "NOW", 0), id="create"),
        pytest.param(STANDBY, Do.TAKE_OVER, ("a", 15, "NOW", "NOW", 5), id="take over: one transition more"),
        pytest.param(LEADING, Do.RENEW, ("a", 15, "acquired", "NOW", 5), id="renew: acquired when it was"),
        pytest.param(
            replace(LEADING, record=FREE), Do.RENEW, ("a", 15, "NOW", "NOW", 5), id="renew over an erased holder"
        ),
        pytest.param(LEADING, Do.RELEASE, ("", 1, "NOW", "NOW", 5), id="release: nobody, and short"),
    ],
)
def test_what_is_written(candidate: Candidate, do: Do, want: tuple[str, int, str, str, int]) -> None:
    record = candidate.record_for(do, datetime(2026, 1, 1, tzinfo=UTC))
    holder, seconds, acquired, renewed, transitions = want
    now = "2026-01-01T00:00:00.000000Z"
    assert record == LeaseRecord(
        holder, seconds, acquired.replace("NOW", now), renewed.replace("NOW", now), transitions
    )


@pytest.mark.parametrize("phase", [Phase.LOST, Phase.ENDED])
def test_an_end_is_an_end(phase: Phase) -> None:
    with pytest.raises(UnexpectedReport, match=f"Due in phase {phase}"):
        step(replace(LEADING, phase=phase), Due(101.0))
