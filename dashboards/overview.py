"""What people on call open first: what fires, what is full, who waits and why, which service burns, what changes now.

Each figure leads on: to the dashboard that takes it apart, or to the page that says what to do.
"""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from controller.qos.error_budget import TIERS
from controller.telemetry.instruments import (
    AGENT_UP,
    BUILD_INFO,
    MODEL_QUEUED,
    NODE_PARTITIONS_UNHEALTHY,
    PARTITION_HEALTH,
    PLANS,
    SCHEDULER_OLDEST_PENDING,
    SCHEDULER_PENDING,
    SERVICE,
    SERVICE_CONDITION,
    SLO_BUDGET,
    USAGE_PARTITION_SECONDS,
)
from dashboards import capacity_panels, change_panels, objective_panels, operator_panels, waiting_panels
from dashboards.board import About, Section, board
from dashboards.firing import firing
from dashboards.levels import BAD, GOOD, NONE_IS_GOOD, PLAIN, SOME_MATTER, Levels, limit, rising
from dashboards.links import MODELS, OVERVIEW, PARTITIONS, SCHEDULER, of_line, to_dashboard, to_runbook
from dashboards.model_performance import failing, queue_fill
from dashboards.panels import FULL, Caption, Query, graph, now, with_link
from dashboards.partition_utilization import fullest
from dashboards.promql import CLUSTER, Scope, highest, lowest, missed, one_of, rate, top, total
from dashboards.rules.recording import FIRST_BYTE, LATENCY
from dashboards.rules.requests import FAILED as FAILING
from dashboards.rules.requests import SATURATED
from dashboards.rules.scheduling import OTHER_GATE, WAITS_SECONDS
from dashboards.variables import choices

SCOPE = Scope((CLUSTER, "namespace", "service"))
ABOUT = About(
    OVERVIEW,
    "AIM GPU sharing / Overview",
    "For people on call: what fires, what is full, who waits and why, which service burns, what changes now.",
)
NAME = "{{cluster}} {{namespace}}/{{service}}"
BY_SERVICE = ("namespace", "service")
_MODELS, _PARTITIONS, _SCHEDULER = (
    to_dashboard("Models", MODELS),
    to_dashboard("Partitions", PARTITIONS),
    to_dashboard("Scheduler", SCHEDULER),
)
#: Seconds that a claim waits: it is told of from the second on.
LONG = rising(WAITS_SECONDS / 3, WAITS_SECONDS)


def dashboard() -> Dashboard:
    """The dashboard."""
    of_services = [SERVICE_CONDITION, MODEL_QUEUED, PARTITION_HEALTH]
    names = choices(
        {CLUSTER: [BUILD_INFO], "namespace": [*of_services, SCHEDULER_PENDING], "service": of_services},
    )
    return board(ABOUT, names, [_now(), _full(), _waiting(), _burning(), _changing(), _ours()])


def _now() -> Section:
    return Section(100, "Now", [*_of_services(), *_of_the_cluster(), firing(109, SCOPE)])


def _of_services() -> list[stat.Panel]:
    return [
        now(
            Caption(
                101,
                "Services not ready",
                "InferenceServices whose condition Ready is False; those beyond the 500th count as one.",
                "short",
            ),
            Query(total(missed(SCOPE.series(SERVICE_CONDITION, condition="Ready")), ())),
            NONE_IS_GOOD,
        ).links([_MODELS, to_runbook("AimInferenceServiceNotReady")]),
        now(
            Caption(
                102, "Claims that wait", "Claims without a partition now, but for those that others hold, too.", "short"
            ),
            Query(total(SCOPE.series(SCHEDULER_PENDING, reason=OTHER_GATE), ())),
            SOME_MATTER,
        ).links([_SCHEDULER, to_runbook("AimClaimsWait")]),
        now(
            Caption(103, "Longest wait", "Of the one of these that waits longest; no data: none waits.", "s"),
            Query(highest(SCOPE.series(SCHEDULER_OLDEST_PENDING, reason=OTHER_GATE), ())),
            LONG,
        ).links([_SCHEDULER, to_runbook("AimClaimsWait")]),
        now(
            Caption(
                104, "Least budget left", "Of all error budgets of 30 days, the one with least left.", "percentunit"
            ),
            Query(lowest(SCOPE.series(SLO_BUDGET), ())),
            objective_panels.LEFT,
        ).links([_MODELS, to_runbook("AimSloBurnsFast")]),
    ]


def _of_the_cluster() -> list[stat.Panel]:
    under_way = SCOPE.series(PLANS, phase=one_of(*change_panels.UNDER_WAY))
    return [
        now(
            Caption(105, "Agents lost", "Managed nodes whose agent does not answer.", "short"),
            Query(total(missed(SCOPE.series(AGENT_UP)), ())),
            NONE_IS_GOOD,
        ).links([_SCHEDULER, to_runbook("AimNodeAgentLost")]),
        now(
            Caption(106, "Partitions ill", "Partitions that agents report as unhealthy or missing.", "short"),
            Query(total(SCOPE.series(NODE_PARTITIONS_UNHEALTHY), ())),
            NONE_IS_GOOD,
        ).links([_PARTITIONS, to_runbook("AimNodePartitionsUnhealthy")]),
        now(
            Caption(107, "Changes under way", "Mode changes that have begun and not ended.", "short"),
            Query(total(under_way, ())),
            PLAIN,
        ).links([_SCHEDULER, to_runbook("AimRepartitionStuck")]),
        now(
            Caption(108, "Operators that lead", "One replica of the operator leads, always.", "short"),
            Query(operator_panels.leading(SCOPE)),
            Levels(BAD, ((1, GOOD), (2, BAD))),
        ).links([_SCHEDULER, to_runbook("AimOperatorWithoutLeader")]),
    ]


def _full() -> Section:
    panels = [
        capacity_panels.allocated(201, SCOPE),
        capacity_panels.by_holder(202, SCOPE),
        fullest(203, SCOPE),
        capacity_panels.fragmentation(204, SCOPE),
    ]
    return Section(200, "What is full", panels)


def _waiting() -> Section:
    return Section(
        300, "Who waits, and why", [waiting_panels.by_reason(301, SCOPE), waiting_panels.longest(302, SCOPE)]
    )


def _burning() -> Section:
    fail = Caption(
        403,
        "Services whose requests fail",
        "Share of answers with 5xx, and of those that broke off, among the requests that are let in, the ten services "
        "with most. Those that are refused are not among them.",
        "percentunit",
    )
    slow = Caption(
        404,
        "Slowest services, 95 % of their requests",
        "Time to the whole answer within which 95 % of the served requests were, the ten slowest services.",
        "s",
    )
    late = Caption(
        407,
        "Latest first bytes, 95 % of the requests",
        "Time to the first byte within which 95 % of the requests were, the ten latest services.",
        "s",
    )
    crowded = Caption(
        405,
        "Fullest queues",
        "Requests that wait over those that may, at the fullest replica of the gateway, the ten fullest. What comes "
        "beyond is refused.",
        "percentunit",
    )
    short = Caption(
        406,
        "Replicas that are missing",
        "Wanted and not ready, the ten services with most. Nothing to show is good.",
        "short",
    )
    buckets = SCOPE.recorded(LATENCY, (*SERVICE, "priority", "outcome", "le"), outcome="success")
    slowest = f"histogram_quantile(0.95, {total(buckets, ('le', *BY_SERVICE))})"
    first = SCOPE.recorded(FIRST_BYTE, (*SERVICE, "priority", "le"))
    latest = f"histogram_quantile(0.95, {total(first, ('le', *BY_SERVICE))})"
    panels = [
        objective_panels.budgets(401, SCOPE),
        objective_panels.burning(402, SCOPE, TIERS[0].long_seconds),
        _top(fail, failing(SCOPE), limit(FAILING)).max(1).links([to_runbook("AimModelRequestsFail")]),
        _top(slow, slowest),
        _top(late, latest),
        _top(crowded, queue_fill(SCOPE), limit(SATURATED)).max(1).links([to_runbook("AimModelQueueSaturated")]),
        _top(short, f"{objective_panels.missing(SCOPE)} > 0").links([to_runbook("AimInferenceServiceNotReady")]),
    ]
    return Section(400, "Which service burns", panels)


def _changing() -> Section:
    panels = [
        change_panels.plans(501, SCOPE),
        change_panels.evictions(502, SCOPE),
        change_panels.operations(503, SCOPE),
        _held(504),
    ]
    return Section(500, "What changes now", panels)


def _ours() -> Section:
    panels = [
        operator_panels.leaders(601, SCOPE),
        operator_panels.reconcile_errors(602, SCOPE),
        operator_panels.unanswered_reviews(603, SCOPE),
        operator_panels.certificates(604, SCOPE),
        operator_panels.processes(605, SCOPE).span(FULL),
    ]
    return Section(600, "Our own processes", panels)


def _held(number: int) -> timeseries.Panel:
    caption = Caption(
        number,
        "Partitions held, by service",
        "How many partitions each service holds, on average: who grew, who shrank. The ten with most.",
        "short",
    )
    return _top(caption, total(rate(SCOPE.series(USAGE_PARTITION_SECONDS)), BY_SERVICE))


def _top(caption: Caption, expr: str, levels: Levels | None = None) -> timeseries.Panel:
    line = of_line("Requests of the service", MODELS, *BY_SERVICE)
    return with_link(graph(caption, Query(top(10, expr), NAME), levels=levels), line)
