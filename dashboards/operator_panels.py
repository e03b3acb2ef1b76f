"""How the operator itself fares: who leads, what its reconciles, webhooks and requests do, when certificates end.

Other controllers in a cluster export metrics of the same names, so all but our own are of the processes that say they
are our operator.
"""

from grafana_foundation_sdk.builders import table, timeseries

from controller.entrypoints.run_operator import LEASE
from controller.runtime.instrument import Instrument
from controller.runtime.instruments import (
    API_REQUEST_SECONDS,
    API_REQUESTS,
    LEADING,
    QUEUE_DEPTH,
    QUEUED_SECONDS,
    RECONCILE_ERRORS,
    RECONCILE_SECONDS,
    RECONCILES,
    REVIEW_LATENCY,
    REVIEWS,
)
from controller.telemetry.instruments import BUILD_INFO, CERTIFICATE_EXPIRY, OPERATOR
from dashboards.board import Section
from dashboards.levels import falling
from dashboards.links import to_runbook
from dashboards.panels import HALF, Caption, Query, events, graph, stacked
from dashboards.promql import Matching, Scope, amount, lowest, of_instances, per_minute, rate, total
from dashboards.rules.operation import AT_ONCE, SOON
from dashboards.tables import Figure, Key, grid
from dashboards.variables import QUANTILE

#: Reviews that were not answered: the API server then refuses what the webhook should have looked at.
UNANSWERED = Matching("!=", "200")


def section(number: int, scope: Scope) -> Section:
    """The panels, numbered from `number` on."""
    panels = [
        leaders(number + 1, scope),
        reconcile_errors(number + 2, scope),
        _reconciles(number + 3, scope),
        _reconcile_length(number + 4, scope),
        _queues(number + 5, scope),
        _queue_wait(number + 6, scope),
        unanswered_reviews(number + 7, scope),
        _review_length(number + 8, scope),
        _api_requests(number + 9, scope),
        _api_length(number + 10, scope),
        certificates(number + 11, scope),
        processes(number + 12, scope),
    ]
    return Section(number, "The operator itself", panels)


def leading(scope: Scope) -> str:
    """How many replicas of the operator lead."""
    return total(scope.series(LEADING, name=LEASE), ())


def leaders(number: int, scope: Scope) -> timeseries.Panel:
    """Whether one replica leads."""
    caption = Caption(
        number,
        "Replicas that lead",
        "Always one. None: nothing is bound, moved or changed; models that run go on. It takes some 15 seconds until "
        "another replica leads after a crash.",
        "short",
    )
    return graph(caption, Query(leading(scope), "{{cluster}}")).links([to_runbook("AimOperatorWithoutLeader")])


def reconcile_errors(number: int, scope: Scope) -> timeseries.Panel:
    """Reconciles that raised."""
    caption = Caption(
        number,
        "Reconciles that failed, by controller",
        "In a minute. A failed reconcile is tried again, ever later; what stays here is told in the log.",
        "cpm",
    )
    failed = total(_ours(scope, per_minute(scope.series(RECONCILE_ERRORS))), ("controller",))
    return events(caption, Query(failed, "{{cluster}} {{controller}}"))


def unanswered_reviews(number: int, scope: Scope) -> timeseries.Panel:
    """Webhook calls that failed."""
    caption = Caption(
        number,
        "Webhook reviews that failed, by webhook",
        "In a minute: reviews that were answered with an error. Pods that opted in cannot be made meanwhile.",
        "cpm",
    )
    failed = total(_ours(scope, per_minute(scope.series(REVIEWS, code=UNANSWERED))), ("webhook", "code"))
    query = Query(failed, "{{cluster}} {{webhook}} {{code}}")
    return events(caption, query).links([to_runbook("AimWebhookErrors"), to_runbook("AimWebhookUnreachable")])


def certificates(number: int, scope: Scope) -> timeseries.Panel:
    """Time until certificates end."""
    caption = Caption(
        number,
        "Time until certificates end",
        "Of the certificates that our processes show. They are renewed long before; a line that nears zero is not.",
        "s",
    )
    left = f"{lowest(scope.series(CERTIFICATE_EXPIRY), ('certificate',))} - time()"
    links = [to_runbook("AimCertificateExpiresSoon"), to_runbook("AimCertificateExpires")]
    return graph(
        caption,
        Query(left, "{{cluster}} {{certificate}}"),
        levels=falling(AT_ONCE.total_seconds(), SOON.total_seconds()),
    ).links(links)


def processes(number: int, scope: Scope) -> table.Panel:
    """What runs, in which version."""
    caption = Caption(
        number,
        "Processes, by version",
        "Ours that are scraped. Two versions of a process for longer than a rollout takes are a rollout that hangs.",
        "short",
    )
    keys = [Key("cluster", "Cluster"), Key("process", "Process"), Key("version", "Version")]
    count = amount(scope.series(BUILD_INFO), ("process", "version"))
    links = [to_runbook("AimProcessMissing"), to_runbook("AimAuxiliaryProcessMissing")]
    return grid(caption, keys, [Figure("Processes", count, "short")]).span(HALF).links(links)


def _reconciles(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number, "Reconciles, by controller", "Looks at an object and what is to be done for it, in a second.", "ops"
    )
    done = total(_ours(scope, rate(scope.series(RECONCILES))), ("controller",))
    return stacked(caption, Query(done, "{{cluster}} {{controller}}"))


def _reconcile_length(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Length of a reconcile, quantile $quantile",
        "By controller. Usually milliseconds: what takes long waits for the API server.",
        "s",
    )
    return graph(caption, Query(_quantile(scope, RECONCILE_SECONDS, "controller"), "{{cluster}} {{controller}}"))


def _queues(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Objects that wait for a reconcile",
        "By controller. A burst is normal after a start; what stays means that workers do not keep up.",
        "short",
    )
    depth = total(_ours(scope, scope.series(QUEUE_DEPTH)), ("name",))
    return stacked(caption, Query(depth, "{{cluster}} {{name}}"))


def _queue_wait(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Wait for a reconcile, quantile $quantile",
        "From an object's becoming ready until work on it, by controller.",
        "s",
    )
    return graph(caption, Query(_quantile(scope, QUEUED_SECONDS, "name"), "{{cluster}} {{name}}"))


def _review_length(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Length of a webhook review, quantile $quantile",
        "From a review's headers to its answer. The API server waits five seconds for it.",
        "s",
    )
    return graph(caption, Query(_quantile(scope, REVIEW_LATENCY, "webhook"), "{{cluster}} {{webhook}}"))


def _api_requests(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Requests to the API server, by status",
        "In a second. 409 are lost races, which are tried again; 429 says that the API server has enough of us.",
        "reqps",
    )
    sent = total(_ours(scope, rate(scope.series(API_REQUESTS))), ("code",))
    return stacked(caption, Query(sent, "{{cluster}} {{code}}"))


def _api_length(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Length of a request to the API server, quantile $quantile",
        "By verb, from sending to the whole answer; watches are not counted.",
        "s",
    )
    return graph(caption, Query(_quantile(scope, API_REQUEST_SECONDS, "verb"), "{{cluster}} {{verb}}"))


def _quantile(scope: Scope, instrument: Instrument, by: str) -> str:
    observed = _ours(scope, rate(scope.buckets(instrument)))
    return f"histogram_quantile(${QUANTILE}, {total(observed, ('le', by))})"


def _ours(scope: Scope, series: str) -> str:
    return of_instances(series, scope.series(BUILD_INFO, process=OPERATOR))
