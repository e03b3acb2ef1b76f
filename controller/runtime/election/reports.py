"""The words between the state machine and its shell: what to do next, and what came of it. Pure.

In each report `sent` is the time before the request went out and `now` the time at which its end was known, both in
seconds of the participant's own monotonic clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from controller.runtime.election.lease import LeaseRecord


class Do(StrEnum):
    """What the shell does next."""

    READ = "Read"
    CREATE = "Create"
    TAKE_OVER = "TakeOver"
    RENEW = "Renew"
    RELEASE = "Release"
    WAIT = "Wait"
    GIVE_UP = "GiveUp"
    END = "End"


@dataclass(frozen=True, slots=True)
class Next:
    """`do`; WAIT ends at `until` (monotonic seconds); GIVE_UP says `why`."""

    do: Do
    until: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """The wait is over, or there was none yet."""

    now: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody asked for the end."""

    now: float


@dataclass(frozen=True, slots=True)
class Found:
    """The Lease was read."""

    record: LeaseRecord
    version: str
    sent: float
    now: float


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no Lease."""

    sent: float
    now: float


@dataclass(frozen=True, slots=True)
class Written:
    """The write was accepted: `record` is at `version` now."""

    record: LeaseRecord
    version: str
    sent: float
    now: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The write was refused: the Lease is not what was read, or there is one already, or none any more."""

    sent: float
    now: float


@dataclass(frozen=True, slots=True)
class Failed:
    """No usable answer: a write may have happened, now or later."""

    why: str
    sent: float
    now: float


Report: TypeAlias = Due | Stop | Found | Missing | Written | Refused | Failed
