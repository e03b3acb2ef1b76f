"""The state machine of one participant in an election. Pure: `participant.py` does what it asks for.

    Standby --found another's--> Standby (wait)        Standby --found free, run out or ours; missing--> Standby (claim)
    Standby --written--> Leading (wait)                Standby --refused, failed--> Standby (wait)
    Leading --due--> Leading (renew)                   Leading --written--> Leading (valid for longer)
    Leading --refused--> Leading (read)                Leading --found ours--> Leading (renew)
    Leading --found another's--> Lost                  Leading --anything after valid_until--> Lost
    Leading --stop--> Releasing --written--> Ended     Standby --stop--> Ended

Why no two lead at once, whatever their clocks show: a leader counts from the moment BEFORE it sent the renewal that
succeeded, and only for `renew_deadline`; the others count from the moment they SAW that renewal, and for `duration`,
which is longer. Every write names the resourceVersion it read, so that of two claims, or of a claim and a late renewal,
one is refused.

The one thing that can make two lead is somebody who deletes the Lease or edits its holder: whoever starts at that
moment finds it free, and the leader notices with its next renewal.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import Any, Final, TypeAlias

from controller.runtime.election.lease import LeaseRecord, LeaseTiming, micro_time
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

_RELEASED_SECONDS: Final = 1


class Phase(StrEnum):
    """Where a participant stands. Lost and Ended are final."""

    STANDBY = "Standby"
    LEADING = "Leading"
    RELEASING = "Releasing"
    LOST = "Lost"
    ENDED = "Ended"


class UnexpectedReport(RuntimeError):
    """A report that the phase does not know: the shell has a bug."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """All that one participant knows. `identity` must be this process's own: a restarted one takes another.

    `record` at `version` is what it last saw, since `changed_at` (monotonic, its own clock). `valid_until` (monotonic):
    until then it surely holds the lease, if it leads. `claimed`: it has tried to get the lease, so a record with its
    identity is its own; before, that is another process under the same name. `trouble`: the last failure, if any.
    """

    identity: str
    timing: LeaseTiming
    phase: Phase = Phase.STANDBY
    record: LeaseRecord = field(default_factory=LeaseRecord)
    version: str = ""
    changed_at: float = -inf
    valid_until: float = -inf
    claimed: bool = False
    trouble: str = ""

    @property
    def run_out_at(self) -> float:
        """When the record that was last seen is over, as its holder promised (ours, where it promised nothing)."""
        return self.changed_at + (self.record.lease_duration_seconds or self.timing.duration)

    @property
    def ours(self) -> bool:
        """Whether the record is this participant's own."""
        return self.claimed and self.record.holder_identity == self.identity

    @property
    def free(self) -> bool:
        """Whether nobody holds the lease."""
        return not self.record.holder_identity

    def record_for(self, do: Do, wall: datetime) -> LeaseRecord:
        """What CREATE, TAKE_OVER, RENEW or RELEASE writes at the wall time `wall`."""
        now = micro_time(wall)
        held = self.record
        if do is Do.RELEASE:
            return LeaseRecord("", _RELEASED_SECONDS, now, now, held.lease_transitions)
        if do is Do.RENEW and held.holder_identity == self.identity:
            return LeaseRecord(self.identity, self.timing.duration, held.acquire_time, now, held.lease_transitions)
        transitions = 0 if do is Do.CREATE else held.lease_transitions + 1
        return LeaseRecord(self.identity, self.timing.duration, now, now, transitions)


Step: TypeAlias = tuple[Candidate, Next]


def step(candidate: Candidate, report: Report, draw: float = 0.0) -> Step:
    """The candidate after `report`, and what it does next. `draw` in [0, 1) makes its waits differ from others'.

    Raises UnexpectedReport.
    """
    if candidate.phase is Phase.LEADING and report.now >= candidate.valid_until:
        why = f"not renewed within {candidate.timing.renew_deadline:g} s"
        return _lost(candidate, f"{why} ({candidate.trouble})" if candidate.trouble else why)
    react = _REACTIONS.get((candidate.phase, type(report)))
    if react is None:
        raise UnexpectedReport(f"{type(report).__name__} in phase {candidate.phase}")
    return react(candidate, report, draw)


def _read(candidate: Candidate, _report: Report, _draw: float) -> Step:
    return candidate, Next(Do.READ)


def _end(candidate: Candidate, _report: Report, _draw: float) -> Step:
    return replace(candidate, phase=Phase.ENDED), Next(Do.END)


def _lost(candidate: Candidate, why: str) -> Step:
    return replace(candidate, phase=Phase.LOST), Next(Do.GIVE_UP, why=why)


def _seen(candidate: Candidate, report: Found | Written) -> Candidate:
    """The candidate with that record; the time counts only from a change. After a restore versions come twice."""
    if (report.record, report.version) == (candidate.record, candidate.version):
        return candidate
    return replace(candidate, record=report.record, version=report.version, changed_at=report.now)


def _standby_found(candidate: Candidate, report: Found, draw: float) -> Step:
    candidate = _seen(candidate, report)
    if candidate.ours:  # a claim whose answer was lost
        return candidate, Next(Do.RENEW)
    if candidate.free or report.now >= candidate.run_out_at:
        return replace(candidate, claimed=True), Next(Do.TAKE_OVER)
    look = report.sent + candidate.timing.acquire_wait(draw)
    return candidate, Next(Do.WAIT, until=min(look, candidate.run_out_at))


def _standby_missing(candidate: Candidate, report: Missing, draw: float) -> Step:
    if not candidate.free and not candidate.ours and report.now < candidate.run_out_at:
        # Deleted under a leader that we know of: it may not have noticed yet.
        look = report.sent + candidate.timing.acquire_wait(draw)
        return candidate, Next(Do.WAIT, until=min(look, candidate.run_out_at))
    return replace(candidate, claimed=True), Next(Do.CREATE)


def _standby_written(candidate: Candidate, report: Written, _draw: float) -> Step:
    candidate = _seen(candidate, report)
    valid_until = report.sent + candidate.timing.renew_deadline
    if report.now >= valid_until:  # the answer came too late to be good for anything
        return candidate, Next(Do.READ)
    leading = replace(candidate, phase=Phase.LEADING, valid_until=valid_until, trouble="")
    return leading, Next(Do.WAIT, until=report.sent + candidate.timing.retry_period)


def _standby_unlucky(candidate: Candidate, report: Refused | Failed, draw: float) -> Step:
    return candidate, Next(Do.WAIT, until=report.sent + candidate.timing.acquire_wait(draw))


def _standby_stop(candidate: Candidate, report: Stop, draw: float) -> Step:
    if not candidate.claimed:
        return _end(candidate, report, draw)
    # A claim that went unanswered may have got us the lease, and nobody else could have it for its duration.
    return replace(candidate, phase=Phase.RELEASING), Next(Do.READ)


def _leading_due(candidate: Candidate, _report: Due, _draw: float) -> Step:
    return candidate, Next(Do.RENEW)


def _leading_written(candidate: Candidate, report: Written, _draw: float) -> Step:
    valid_until = report.sent + candidate.timing.renew_deadline
    candidate = replace(_seen(candidate, report), valid_until=valid_until, trouble="")
    return candidate, Next(Do.WAIT, until=report.sent + candidate.timing.retry_period)


def _leading_found(candidate: Candidate, report: Found, _draw: float) -> Step:
    candidate = _seen(candidate, report)
    if candidate.ours or candidate.free:  # a renewal whose answer was lost, a label that somebody set, a holder erased
        return candidate, Next(Do.RENEW)
    return _lost(candidate, f"{candidate.record.holder_identity!r} holds it now")


def _leading_missing(candidate: Candidate, _report: Missing, _draw: float) -> Step:
    return candidate, Next(Do.CREATE)


def _leading_failed(candidate: Candidate, report: Failed, _draw: float) -> Step:
    candidate = replace(candidate, trouble=report.why)
    return candidate, Next(Do.WAIT, until=report.sent + candidate.timing.retry_period)


def _leading_stop(candidate: Candidate, _report: Stop, _draw: float) -> Step:
    return replace(candidate, phase=Phase.RELEASING), Next(Do.RELEASE)


def _releasing_found(candidate: Candidate, report: Found, draw: float) -> Step:
    candidate = _seen(candidate, report)
    return (candidate, Next(Do.RELEASE)) if candidate.ours else _end(candidate, report, draw)


_REACTIONS: Final[dict[tuple[Phase, type[Report]], Callable[[Candidate, Any, float], Step]]] = {
    (Phase.STANDBY, Due): _read,
    (Phase.STANDBY, Found): _standby_found,
    (Phase.STANDBY, Missing): _standby_missing,
    (Phase.STANDBY, Written): _standby_written,
    (Phase.STANDBY, Refused): _standby_unlucky,
    (Phase.STANDBY, Failed): _standby_unlucky,
    (Phase.STANDBY, Stop): _standby_stop,
    (Phase.LEADING, Due): _leading_due,
    (Phase.LEADING, Found): _leading_found,
    (Phase.LEADING, Missing): _leading_missing,
    (Phase.LEADING, Written): _leading_written,
    (Phase.LEADING, Refused): _read,
    (Phase.LEADING, Failed): _leading_failed,
    (Phase.LEADING, Stop): _leading_stop,
    (Phase.RELEASING, Found): _releasing_found,
    (Phase.RELEASING, Missing): _end,
    (Phase.RELEASING, Written): _end,
    (Phase.RELEASING, Refused): _read,
    (Phase.RELEASING, Failed): _end,
}
