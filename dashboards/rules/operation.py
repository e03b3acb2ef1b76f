"""Alerts on our own processes: somebody leads, webhooks answer, certificates last, and all of them are there."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from api.openapi.crd import CONVERSION_PATH
from controller.entrypoints.operator_webhooks import POD_GATE, VALIDATION
from controller.entrypoints.run_operator import LEASE
from controller.runtime.certs.rotation import RENEW_AT, RotationPolicy
from controller.runtime.instruments import LEADING, REVIEWS
from controller.telemetry.instruments import AGENT, CERTIFICATE_EXPIRY, EXPORTER, GATEWAY, OPERATOR, UI
from dashboards.promql import Matching, increase, lowest, one_of, total
from dashboards.rules.api_server import unreachable
from dashboards.rules.expressions import series
from dashboards.rules.pace import Pace
from dashboards.rules.recording import PROCESSES
from dashboards.rules.rule import Alert, Group, Severity

PATHS: Final = (*POD_GATE.paths.values(), *VALIDATION.paths.values(), CONVERSION_PATH)
"""Where the API server calls us, which tells our webhooks from those of others that export the same metric."""

#: Of a path's reviews, and how many of them at least: one that fails is tried again by whoever asked.
REVIEWS_FAILED: Final = 0.05
LEAST_FAILED: Final = 3
_REVIEWS_SECONDS: Final = 600.0

#: A certificate of our own is renewed with a third of its life left. With half of that left somebody has to look.
SOON: Final = RotationPolicy().leaf_lifetime * (1 - RENEW_AT) / 2
AT_ONCE: Final = timedelta(days=1)
NEEDED: Final = (OPERATOR, AGENT, GATEWAY)
"""Kinds of processes without which somebody is hurt now."""
BESIDE: Final = (EXPORTER, UI)
"""Those without which figures and pages are missing."""
#: Nothing tells which kinds there are to be. One that was here within a week is missed: no outage lasts as long. One
#: that was taken away for good is so no longer.
_REMEMBERED_SECONDS: Final = 7 * 86_400.0

_ENDS: Final = lowest(series(CERTIFICATE_EXPIRY), ("certificate",))


def operation(pace: Pace) -> Group:
    """What has to be in order for the rest to be."""
    expiring = (
        _expiring("AimCertificateExpiresSoon", Severity.WARNING, "A certificate was not renewed in time", SOON, pace),
        _expiring("AimCertificateExpires", Severity.CRITICAL, "A certificate ends within a day", AT_ONCE, pace),
    )
    missing = (
        _missing("AimProcessMissing", Severity.CRITICAL, "A process that was here is gone", NEEDED, pace),
        _missing("AimAuxiliaryProcessMissing", Severity.WARNING, "The exporter or the live map is gone", BESIDE, pace),
    )
    return Group("operation", (_without_leader(), *missing, _webhook_errors(pace), unreachable(pace), *expiring))


def _without_leader() -> Alert:
    leading = total(series(LEADING, name=LEASE), ("name",))
    return Alert(
        name="AimOperatorWithoutLeader",
        severity=Severity.CRITICAL,
        expression=f"{leading} == 0",
        seconds=60,
        summary="No replica of the operator leads",
        description="Replicas of the operator run, and none of them holds the Lease {{ $labels.name }}: no pod gets a "
        "partition, and what breaks stays broken.",
    )


def _missing(name: str, severity: Severity, summary: str, kinds: Sequence[str], pace: Pace) -> Alert:
    before = f'{PROCESSES}{{process=~"{"|".join(kinds)}"}}'
    return Alert(
        name=name,
        severity=severity,
        expression=f"last_over_time({before}[{pace.text(_REMEMBERED_SECONDS)}]) unless {PROCESSES}",
        seconds=300,
        summary=summary,
        description="No {{ $labels.process }} tells its metrics any more, and one did within the last week: it is "
        "down, or cannot be scraped. Alerts on what it tells are silent.",
    )


def _webhook_errors(pace: Pace) -> Alert:
    ours, window = one_of(*PATHS), pace.text(_REVIEWS_SECONDS)
    reviews, errors = series(REVIEWS, webhook=ours), series(REVIEWS, webhook=ours, code=Matching("!=", "200"))
    failed, asked = (total(increase(one, window), ("webhook",)) for one in (errors, reviews))
    return Alert(
        name="AimWebhookErrors",
        severity=Severity.CRITICAL,
        expression=f"({failed} / {asked} > {REVIEWS_FAILED}) and ({failed} >= {LEAST_FAILED})",
        seconds=120,
        summary="The operator fails to answer the API server",
        description="{{ $value | humanizePercentage }} of the reviews at {{ $labels.webhook }} end in an error: pods "
        "that opt in, or objects of ours, are refused.",
    )


def _expiring(name: str, severity: Severity, summary: str, left: timedelta, pace: Pace) -> Alert:
    return Alert(
        name=name,
        severity=severity,
        expression=f"{_ENDS} - time() < {pace.number(left.total_seconds())}",
        seconds=900,
        summary=summary,
        description="Certificate {{ $labels.certificate }} {{ if gt $value 0.0 }}ends in "
        "{{ $value | humanizeDuration }}{{ else }}has ended{{ end }}; it should have been renewed by now.",
    )
