"""An alert on what only the API server can tell: calls of our webhooks that do not reach us.

Every other rule is over what our own processes tell. This one is silent where Prometheus does not read the API server.
"""

from collections.abc import Mapping
from typing import Final

from controller.entrypoints.operator_webhooks import POD_GATE, VALIDATION
from dashboards.promql import increase, total
from dashboards.rules.pace import Pace
from dashboards.rules.rule import Alert, Severity

REJECTED: Final = "apiserver_admission_webhook_rejection_count"
FAILED_OPEN: Final = "apiserver_admission_webhook_fail_open_count"
CALLED: Final = "apiserver_admission_webhook_request_total"
LABELS: Final[Mapping[str, frozenset[str]]] = {
    REJECTED: frozenset({"name", "type", "operation", "error_type", "rejection_code"}),
    FAILED_OPEN: frozenset({"name", "type"}),
    CALLED: frozenset({"name", "type", "operation", "code", "rejected"}),
}
"""The API server's counters that are asked for, with their labels (`k8s.io/apiserver/pkg/admission/metrics`, v0.36)."""

WEBHOOKS: Final = (*POD_GATE.paths, *VALIDATION.paths)
"""Names of our webhooks, as the API server has them."""

#: As of reviews that we answer with an error.
FAILED: Final = 0.05
LEAST: Final = 3
_SECONDS: Final = 600.0


def unreachable(pace: Pace) -> Alert:
    """Calls of a webhook of ours that end before we answer: no connection, no trust, no time."""
    ours, window = f'name=~"{"|".join(WEBHOOKS)}"', pace.text(_SECONDS)
    refused = increase(f'{REJECTED}{{error_type="calling_webhook_error", {ours}}}', window)
    let_pass = increase(f"{FAILED_OPEN}{{{ours}}}", window)
    failed = total(f"{refused} or {let_pass}", ("name",))
    called = total(increase(f"{CALLED}{{{ours}}}", window), ("name",))
    return Alert(
        name="AimWebhookUnreachable",
        severity=Severity.CRITICAL,
        expression=f"({failed} / {called} > {FAILED}) and ({failed} >= {LEAST})",
        seconds=120,
        summary="The API server cannot call a webhook of the operator",
        description="{{ $value | humanizePercentage }} of the API server's calls of webhook {{ $labels.name }} fail: "
        "pods that opt in are refused, or objects of ours are not checked.",
    )
