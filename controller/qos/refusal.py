"""Why a request is not served. A value, not an exception: the data path turns it into an answer with a status.

429 says that others use what there is, 503 that nothing is there to serve it, 504 that its time ran out.
"""

from dataclasses import dataclass
from typing import Final

QUEUE_FULL: Final = "QueueFull"
RATE_LIMITED: Final = "RateLimited"
DEADLINE_UNREACHABLE: Final = "DeadlineUnreachable"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
QUEUE_TIMEOUT: Final = "QueueTimeout"
SHED: Final = "Shed"
NO_ENDPOINT: Final = "NoEndpoint"
UNKNOWN_MODEL: Final = "UnknownModel"
UNKNOWN_CLASS: Final = "UnknownClass"

STATUS: Final = {
    QUEUE_FULL: 429,
    RATE_LIMITED: 429,
    DEADLINE_UNREACHABLE: 429,
    QUEUE_TIMEOUT: 429,
    SHED: 429,
    DEADLINE_EXCEEDED: 504,
    NO_ENDPOINT: 503,
    UNKNOWN_MODEL: 503,
    UNKNOWN_CLASS: 503,
}

# Longer than this nobody is sent away: what is known of the load is older than that by then.
LONGEST_RETRY_AFTER: Final = 30.0
_SHORTEST_RETRY_AFTER: Final = 1.0
# A random part of up to half is added.
_SPREAD: Final = 0.5


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reason`: one of the names above. `status`: of HTTP. `message`: a sentence with the figures that decided.

    `retry_after`: seconds after which to try again, at most 30 and with a random part so that those who were refused
    together do not come back together; None: trying again does not help.
    """

    reason: str
    status: int
    message: str
    retry_after: float | None = None


def refusal(reason: str, message: str, retry_after: float | None = None) -> Refusal:
    """A refusal with the status that belongs to its reason. KeyError for a reason that is none."""
    return Refusal(reason, STATUS[reason], message, retry_after)


def retry_after(seconds: float, jitter: float) -> float:
    """What to tell somebody when there will be room after `seconds`: that and up to half of it more, at least 1 s.

    `jitter`: from 0 up to 1. Never more than 30 s, and spread also at that bound.
    """
    longest = LONGEST_RETRY_AFTER / (1.0 + _SPREAD)
    return min(max(seconds, _SHORTEST_RETRY_AFTER), longest) * (1.0 + _SPREAD * jitter)
