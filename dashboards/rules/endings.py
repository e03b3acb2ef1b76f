"""How requests end, as alerts and panels tell it apart: a share is of those that the service had to serve.

Statuses alone do not say it. An answer that broke off has the status that its client saw, mostly 200; 429 is the answer
to a queue that is full and to a caller that is too fast.
"""

from enum import StrEnum
from typing import Final

from controller.qos.refusal import DEADLINE_EXCEEDED, DEADLINE_UNREACHABLE, QUEUE_FULL, QUEUE_TIMEOUT, SHED
from dashboards.promql import marked, one_of

ENDED: Final = "ended"
"""The label that has the ending."""


class Ending(StrEnum):
    """What became of a request."""

    SERVED = "served"
    """An engine's answer was passed on whole."""
    FAILED = "failed"
    """An error of the server, before the answer began or within it."""
    CROWDED = "crowded"
    """Refused for want of room or time."""
    CALLER = "caller"
    """The caller's own doing: it was wrong, sent faster than it may (RateLimited), or was gone before the end."""


CROWDED: Final = (QUEUE_FULL, QUEUE_TIMEOUT, SHED, DEADLINE_UNREACHABLE, DEADLINE_EXCEEDED)
"""Reasons for want of room or time. Who sends faster than he may (RateLimited) is to be refused."""

ADMITTED: Final = one_of(Ending.SERVED, Ending.FAILED)
"""Those that were let in: of these some fail, however many are refused meanwhile."""
WELCOME: Final = one_of(Ending.SERVED, Ending.FAILED, Ending.CROWDED)
"""Those that were to be served: of these some find no room, however many are sent too fast meanwhile."""

#: What the gateway says of engines that failed, also in the middle of an answer.
_BROKEN: Final = ("BadAnswer", "Engine.+")
#: The last one that fits holds.
_RULES: Final = (
    ("code", ("4..",), Ending.CALLER),
    ("code", ("5..",), Ending.FAILED),
    ("reason", _BROKEN, Ending.FAILED),
    ("reason", CROWDED, Ending.CROWDED),
)


def told_apart(requests: str) -> str:
    """Series of requests with their `code` and `reason`, and with the label `ENDED`."""
    found = marked(requests, ENDED, Ending.SERVED)
    for label, patterns, ending in _RULES:
        found = f'label_replace({found}, "{ENDED}", "{ending}", "{label}", "{"|".join(patterns)}")'
    return found
