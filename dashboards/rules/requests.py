"""Alerts on requests: queues that are nearly full, requests that are refused, and those that fail."""

from typing import Final

from controller.qos.error_budget import LEAST_SLOW
from controller.qos.refusal import DEADLINE_EXCEEDED, DEADLINE_UNREACHABLE, QUEUE_FULL, QUEUE_TIMEOUT, SHED
from controller.telemetry.instruments import MODEL_QUEUE_LENGTH, MODEL_QUEUED, SERVICE
from dashboards.promql import SOME, highest, total
from dashboards.rules.expressions import series
from dashboards.rules.pace import Pace
from dashboards.rules.recording import COUNTED_AT, REQUESTS, WINDOW_SECONDS
from dashboards.rules.rule import Alert, Group, Severity

#: Of a queue's length; a burst fills the rest within seconds.
SATURATED: Final = 0.8
#: Of a service's requests.
REFUSED: Final = 0.05
FAILED: Final = 0.05
#: So few in the window say nothing, as of requests that miss an objective.
LEAST: Final = LEAST_SLOW
#: Of hardly any requests, nearly all have to fail, and more than two of them: rates make up to a quarter more of two.
FAILED_OF_FEW: Final = 0.9
LEAST_OF_FEW: Final = 2.5
#: For want of room or time. Who sends faster than he may (RateLimited) is to be refused.
CROWDED: Final = (QUEUE_FULL, QUEUE_TIMEOUT, SHED, DEADLINE_UNREACHABLE, DEADLINE_EXCEEDED)

_CROWDED: Final = "|".join(CROWDED)
_FAULTS: Final = f'code=~"5..", reason!~"{_CROWDED}"'
_SERVICE: Final = "service {{ $labels.namespace }}/{{ $labels.service }} (model {{ $labels.model }})"
#: At the gateway, whose classes have names: what waits in engines that are called past it takes no room in its queue.
_QUEUED: Final = total(series(MODEL_QUEUED, priority=SOME), SERVICE)
_LENGTH: Final = total(series(MODEL_QUEUE_LENGTH), SERVICE)


def requests(pace: Pace) -> Group:
    """What callers of models notice."""
    return Group(
        "requests",
        (
            Alert(
                name="AimModelQueueSaturated",
                severity=Severity.WARNING,
                expression=f"{_QUEUED} / {_LENGTH} > {SATURATED}",
                seconds=300,
                summary="A service's queue is nearly full",
                description="{{ $value | humanizePercentage }} of the queue of "
                + _SERVICE
                + " has been taken for five "
                "minutes; what comes beyond it is refused.",
            ),
            Alert(
                name="AimModelRequestsRefused",
                severity=Severity.WARNING,
                expression=_share(f'reason=~"{_CROWDED}"', REFUSED, pace),
                seconds=300,
                summary="A service refuses requests for want of room or time",
                description="{{ $value | humanizePercentage }} of the requests for "
                + _SERVICE
                + " are refused because "
                "others use what there is.",
            ),
            Alert(
                name="AimModelRequestsFail",
                severity=Severity.CRITICAL,
                expression=" or ".join(
                    _share(_FAULTS, above, pace, least)
                    for above, least in ((FAILED, LEAST), (FAILED_OF_FEW, LEAST_OF_FEW))
                ),
                seconds=300,
                summary="A service's engines fail its requests, or there are none",
                description="{{ $value | humanizePercentage }} of the requests for "
                + _SERVICE
                + " end with an error of "
                "the server.",
            ),
        ),
    )


def _share(matchers: str, above: float, pace: Pace, least: float = LEAST) -> str:
    """Of all requests the share of those that match, where it is above so much and they are more than the least.

    Of a service that is called by the gateway and past it, whose engines count what the gateway does, the greater one.
    """
    by = (*SERVICE, COUNTED_AT)
    those, every = total(f"{REQUESTS}{{{matchers}}}", by), total(REQUESTS, by)
    few = least / pace.seconds(WINDOW_SECONDS)
    return f"({highest(f'({those} / {every} > {above}) and ({those} > {few:.4g})', SERVICE)})"
