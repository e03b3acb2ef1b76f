"""Alerts on objectives whose error budget burns too fast, and on services that are not ready."""

from typing import Final

from controller.telemetry.instruments import SERVICE, SERVICE_CONDITION
from dashboards.promql import lowest
from dashboards.rules.expressions import of_leader
from dashboards.rules.pace import Pace
from dashboards.rules.rule import Alert, Group, Severity
from dashboards.rules.windows import PAGES, TICKETS, burns

_SERVICE: Final = "{{ $labels.namespace }}/{{ $labels.service }}"
_MISSED: Final = (
    "its objective {{ $labels.metric }} {{ $labels.percentile }} below {{ $labels.threshold }} "
    '{{ $value | printf "%.1f" }} times as often as its budget allows.'
)


def service_levels(pace: Pace) -> Group:
    """Whether services are what they are to be."""
    return Group("service-levels", (_fast(pace), _slow(pace), _not_ready(pace)))


def _fast(pace: Pace) -> Alert:
    return Alert(
        name="AimSloBurnsFast",
        severity=Severity.CRITICAL,
        expression=burns(PAGES, pace),
        seconds=120,
        summary="A service uses up its month's error budget within days, or most requests miss an objective",
        description=f"Service {_SERVICE} misses {_MISSED}",
    )


def _slow(pace: Pace) -> Alert:
    return Alert(
        name="AimSloBurnsSlowly",
        severity=Severity.WARNING,
        expression=burns(TICKETS, pace),
        seconds=900,
        summary="A service will have used up its error budget before the month is over",
        description=f"Over three days service {_SERVICE} missed {_MISSED}",
    )


def _not_ready(pace: Pace) -> Alert:
    ready = lowest(of_leader(pace, SERVICE_CONDITION, condition="Ready"), SERVICE)
    return Alert(
        name="AimInferenceServiceNotReady",
        severity=Severity.WARNING,
        expression=f"{ready} == 0",
        seconds=900,
        summary="A service has not been ready for a quarter of an hour",
        description=f"InferenceService {_SERVICE} of model {{{{ $labels.model }}}} has the condition Ready False; "
        "its message says why.",
    )
