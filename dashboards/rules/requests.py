"""Alerts on requests: queues that are nearly full, requests that are refused, and those that fail."""

from typing import Final

from controller.qos.error_budget import LEAST_SLOW
from controller.telemetry.instruments import MODEL_QUEUE_LENGTH, MODEL_QUEUED, SERVICE
from dashboards.promql import SOME, Matching, Scope, highest, total
from dashboards.rules.endings import ADMITTED, ENDED, WELCOME, Ending
from dashboards.rules.expressions import series
from dashboards.rules.pace import Pace
from dashboards.rules.recording import COUNTED_AT, REQUESTS, WINDOW_SECONDS
from dashboards.rules.rule import Alert, Group, Severity

#: Of a queue's length; a burst fills the rest within seconds.
SATURATED: Final = 0.8
#: Labels of a replica's part of a service's queue: one whose own is full refuses while another's is empty.
PART: Final = (*SERVICE, "instance")
#: Of those of a service's requests that it had to serve.
REFUSED: Final = 0.05
FAILED: Final = 0.05
#: So few in the window say nothing, as of requests that miss an objective.
LEAST: Final = LEAST_SLOW
#: Of hardly any requests, nearly all have to fail, and more than two of them: rates make up to a quarter more of two.
FAILED_OF_FEW: Final = 0.9
LEAST_OF_FEW: Final = 2.5

_RECORDED: Final = Scope(())
_SERVICE: Final = "service {{ $labels.namespace }}/{{ $labels.service }} (model {{ $labels.model }})"


def requests(pace: Pace) -> Group:
    """What callers of models notice."""
    return Group(
        "requests",
        (
            Alert(
                name="AimModelQueueSaturated",
                severity=Severity.WARNING,
                expression=f"{_filled(pace)} > {SATURATED}",
                seconds=120,
                summary="A service's queue is nearly full",
                description="{{ $value | humanizePercentage }} of the queue of " + _SERVICE + " has been taken in the "
                "mean of five minutes, at the gateway's replica where it is fullest; what comes beyond it is refused.",
            ),
            Alert(
                name="AimModelRequestsRefused",
                severity=Severity.WARNING,
                expression=_share(Ending.CROWDED, WELCOME, REFUSED, pace),
                seconds=300,
                summary="A service refuses requests for want of room or time",
                description="{{ $value | humanizePercentage }} of the requests for "
                + _SERVICE
                + " are refused because "
                "others use what there is; what callers did wrong, or too fast, does not count.",
            ),
            Alert(
                name="AimModelRequestsFail",
                severity=Severity.CRITICAL,
                expression=" or ".join(
                    _share(Ending.FAILED, ADMITTED, above, pace, least)
                    for above, least in ((FAILED, LEAST), (FAILED_OF_FEW, LEAST_OF_FEW))
                ),
                seconds=300,
                summary="A service's engines fail its requests, or there are none",
                description="{{ $value | humanizePercentage }} of the requests for "
                + _SERVICE
                + " that were let in end with an error of "
                "the server.",
            ),
        ),
    )


def _filled(pace: Pace) -> str:
    """The share of a service's queue that is taken in the mean of the window, at the replica where it is highest.

    At the gateway, whose classes have names: what waits in engines that are called past it takes no room in its queue.
    """
    over = pace.text(WINDOW_SECONDS)
    queued, room = (
        total(f"avg_over_time({one}[{over}])", PART)
        for one in (series(MODEL_QUEUED, priority=SOME), series(MODEL_QUEUE_LENGTH))
    )
    return highest(f"{queued} / {room}", SERVICE)


def _share(ending: Ending, of: Matching, above: float, pace: Pace, least: float = LEAST) -> str:
    """The share that ended so of those that count, where it is above so much and they are more than the least.

    Of a service that is called by the gateway and past it, whose engines count what the gateway does, the greater one.
    """
    by = (*SERVICE, COUNTED_AT)
    those, every = (total(_RECORDED.recorded(REQUESTS, (ENDED,), **{ENDED: one}), by) for one in (ending, of))
    few = least / pace.seconds(WINDOW_SECONDS)
    return f"({highest(f'({those} / {every} > {above}) and ({those} > {few:.4g})', SERVICE)})"
