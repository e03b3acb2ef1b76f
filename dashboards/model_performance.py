"""How requests fare: objectives, latencies, refusals, queues and seats, by service and class."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from controller.runtime.instrument import Instrument
from controller.telemetry.instruments import (
    BUILD_INFO,
    MODEL_KV_CACHE,
    MODEL_QUEUE_LENGTH,
    MODEL_QUEUE_WAIT,
    MODEL_QUEUED,
    MODEL_REQUEST_LATENCY,
    MODEL_REQUESTS,
    MODEL_SEATS,
    MODEL_TIME_PER_TOKEN,
    MODEL_TIME_TO_FIRST_BYTE,
    MODEL_TOKENS,
    PARTITION_OVERLOADS,
    PARTITION_PROMOTIONS,
    PARTITION_SEATS,
    SERVICE_CONDITION,
)
from dashboards import gateway_panels, objective_panels
from dashboards.board import About, Section, board
from dashboards.levels import limit, rising
from dashboards.links import MODELS, to_runbook
from dashboards.panels import FULL, Caption, Query, events, graph, spread, stacked
from dashboards.promql import (
    CLUSTER,
    SOME,
    Matching,
    Scope,
    edges,
    highest,
    per_minute,
    quantile,
    rate,
    top,
    total,
)
from dashboards.rules.endings import ADMITTED, ENDED, Ending
from dashboards.rules.recording import COUNTED_AT, REQUESTS
from dashboards.rules.requests import FAILED as FAILING
from dashboards.rules.requests import SATURATED
from dashboards.variables import QUANTILE, choices, quantiles

SCOPE = Scope((CLUSTER, "namespace", "service", "model", "priority"))
ABOUT = About(
    MODELS,
    "AIM GPU sharing / Models",
    "How requests fare: objectives, latencies, refusals, queues and seats, by service and class.",
)
SERVICE = ("namespace", "service")
CLASS = (*SERVICE, "priority")
NAME = "{{cluster}} {{namespace}}/{{service}}"
CLASS_NAME = f"{NAME} {{{{priority}}}}"
SERVED = Matching("=~", "2..")


def dashboard() -> Dashboard:
    """The dashboard."""
    of_services = [MODEL_QUEUED, SERVICE_CONDITION]
    rows = {CLUSTER: [BUILD_INFO], "namespace": of_services, "service": of_services, "model": of_services}
    variables = [*choices({**rows, "priority": [MODEL_QUEUED]}), quantiles()]
    return board(
        ABOUT,
        variables,
        [
            objective_panels.section(100, SCOPE),
            _requests(),
            _latency(),
            _tokens(),
            _queue(),
            _engines(),
            gateway_panels.section(700, SCOPE),
        ],
    )


def failing(scope: Scope) -> str:
    """The share that fails of the requests that are let in, by service: at the gateway or past it, the worse one."""
    by = (*SERVICE, COUNTED_AT)
    bad, every = (
        scope.recorded(REQUESTS, (*by, "model", "code", "reason", ENDED), **{ENDED: one})
        for one in (Ending.FAILED, ADMITTED)
    )
    return highest(f"{total(bad, by)} / {total(every, by)}", SERVICE)


def _requests() -> Section:
    sent = Caption(
        201,
        "Requests, by service",
        "Requests that ended, in a second, whatever their end, of the twenty services and classes with most.",
        "reqps",
    )
    codes = Caption(
        202,
        "Requests, by status",
        "In a second. 2xx were served; 429 and 503 were refused, reasons beside; 499: the client had gone; other 5xx: "
        "the engine failed.",
        "reqps",
    )
    failed = Caption(
        203,
        "Share of requests that fail",
        "Answers with 5xx, and those that broke off, over these and the answers that were whole, by service. Refusals "
        "for want of room, what a client caused (4xx) and what it ended (499) are in neither. Where requests come past "
        "the gateway too: of these, if they fare worse.",
        "percentunit",
    )
    refused = Caption(
        204,
        "Not served, by reason",
        "In a second: why requests were refused or failed, such as a queue that was full or a wait that was over.",
        "reqps",
    )
    every = rate(SCOPE.series(MODEL_REQUESTS))
    turned_away = rate(SCOPE.series(MODEL_REQUESTS, reason=SOME))
    panels = [
        graph(sent, Query(top(20, total(every, CLASS)), CLASS_NAME)),
        stacked(codes, Query(total(every, ("code",)), "{{cluster}} {{code}}")),
        graph(failed, Query(failing(SCOPE), NAME), levels=limit(FAILING))
        .max(1)
        .links([to_runbook("AimModelRequestsFail")]),
        stacked(refused, Query(total(turned_away, (*SERVICE, "reason")), f"{NAME} {{{{reason}}}}")).links(
            [to_runbook("AimModelRequestsRefused")]
        ),
    ]
    return Section(200, "Requests", panels)


def _latency() -> Section:
    answer = Caption(
        301,
        "Time to the whole answer, quantile $quantile",
        "From a request's last byte to its answer's last one, of requests that were served.",
        "s",
    )
    first = Caption(
        302,
        "Time to the first byte, quantile $quantile",
        "What a reader of a stream waits for: time in the queue and the engine's work on the prompt.",
        "s",
    )
    token = Caption(
        303,
        "Time per output token, quantile $quantile",
        "Between two tokens of a stream. It rises with the requests that an engine serves at once.",
        "s",
    )
    queue = Caption(
        304,
        "Time in the queue, quantile $quantile",
        "From a request's last byte to its dispatch. Where the first byte is late and this is short, the engine is "
        "slow.",
        "s",
    )
    whole = Caption(
        305,
        "Served requests, by time to the whole answer",
        "How many requests took how long, of all that is chosen above. Two bands are two kinds of requests.",
        "s",
    )
    served = SCOPE.buckets(MODEL_REQUEST_LATENCY, outcome="success")
    alike = SCOPE.buckets(MODEL_REQUEST_LATENCY, outcome="success", le=edges(MODEL_REQUEST_LATENCY))
    panels = [
        graph(answer, Query(quantile(f"${QUANTILE}", served, CLASS), CLASS_NAME, exemplars=True)),
        _quantile(first, MODEL_TIME_TO_FIRST_BYTE),
        _quantile(token, MODEL_TIME_PER_TOKEN),
        _quantile(queue, MODEL_QUEUE_WAIT),
        spread(whole, Query(f"sum by (le) ({rate(alike)})", "{{le}}")).span(FULL),
    ]
    return Section(300, "Latency, by service and class", panels)


def _quantile(caption: Caption, instrument: Instrument) -> timeseries.Panel:
    expr = quantile(f"${QUANTILE}", SCOPE.buckets(instrument), CLASS)
    return graph(caption, Query(expr, CLASS_NAME, exemplars=True))


def _tokens() -> Section:
    flow = Caption(
        401,
        "Tokens, by direction",
        "In a second, as engines count them: input (prompts) and output.",
        "cps",
    )
    size = Caption(
        402,
        "Tokens of a request",
        "The mean, by service: why latency changed when nothing else did.",
        "short",
    )
    by = (*SERVICE, "direction")
    tokens = total(rate(SCOPE.series(MODEL_TOKENS)), by)
    requests = total(rate(SCOPE.series(MODEL_REQUESTS, code=SERVED)), SERVICE)
    on = ", ".join((CLUSTER, *SERVICE))
    name = f"{NAME} {{{{direction}}}}"
    panels = [
        graph(flow, Query(tokens, name)),
        graph(size, Query(f"{tokens} / on ({on}) group_left () {requests}", name)),
    ]
    return Section(400, "Tokens", panels)


def queue_fill(scope: Scope) -> str:
    """Requests that wait over those that may, by service, at the replica of the gateway where that is most.

    Engines have no limit, and no class.
    """
    part = (*SERVICE, "instance")
    waiting, room = (
        total(one, part) for one in (scope.series(MODEL_QUEUED, priority=SOME), scope.series(MODEL_QUEUE_LENGTH))
    )
    return highest(f"{waiting} / {room}", SERVICE)


def _queue() -> Section:
    waiting = Caption(501, "Requests that wait, by class", "Now, at the gateway, or in engines without it.", "short")
    fill = Caption(
        502,
        "Filled share of the queue",
        "Requests that wait over those that may at once, by service, at the gateway's replica where it is fullest: "
        "each has a part of the queue. What comes beyond is refused. Above the line in the mean of five minutes, "
        "somebody is told.",
        "percentunit",
    )
    seats = Caption(
        503,
        "Seats",
        "in_flight: taken now; minimum: promised; lent: promised and used by others meanwhile; borrowed: taken beyond "
        "the own minimum. in_flight below minimum while requests wait is a promise that is being redeemed.",
        "short",
    )
    seats_of = total(SCOPE.series(MODEL_SEATS), (*SERVICE, "state"))
    panels = [
        stacked(waiting, Query(total(SCOPE.series(MODEL_QUEUED), CLASS), CLASS_NAME)),
        graph(fill, Query(queue_fill(SCOPE), NAME), levels=limit(SATURATED))
        .max(1)
        .links([to_runbook("AimModelQueueSaturated")]),
        graph(seats, Query(seats_of, f"{NAME} {{{{state}}}}")),
        *_partitions(),
    ]
    return Section(500, "Queues and seats", panels)


def _partitions() -> list[timeseries.Panel]:
    partitions = Caption(
        504,
        "Seats of partitions",
        "Of all partitions of the cluster, as those of one may be several services'. total: what engines take at once; "
        "limit: what the gateway uses of them, as the first token came late; in_flight: taken.",
        "short",
    )
    passed = Caption(
        505,
        "Served before better classes",
        "In a minute, of all partitions: requests that had waited so long that they went first. Nothing to show: "
        "none had.",
        "cpm",
    )
    overloads = Caption(
        506,
        "Engines that were asked too much",
        "In a minute, of all partitions: how often an engine said so, upon which fewer are sent. Nothing to show is "
        "good.",
        "cpm",
    )
    place = ("node", "gpu", "partition")
    where = "{{cluster}} {{node}} {{gpu}} {{partition}}"
    seats_in = total(SCOPE.series(PARTITION_SEATS), ("state",))
    promotions = total(per_minute(SCOPE.series(PARTITION_PROMOTIONS)), place)
    overloaded = total(per_minute(SCOPE.series(PARTITION_OVERLOADS)), place)
    return [
        graph(partitions, Query(seats_in, "{{cluster}} {{state}}")),
        events(passed, Query(f"{promotions} > 0", where)),
        events(overloads, Query(f"{overloaded} > 0", where)),
    ]


def _engines() -> Section:
    cache = Caption(
        601,
        "Filled share of the KV cache",
        "By service, the fullest of its engines, where the exporter reads them. Full: engines put requests back.",
        "percentunit",
    )
    panels = [
        graph(cache, Query(highest(SCOPE.series(MODEL_KV_CACHE), SERVICE), NAME), levels=rising(0.9, 0.98)).max(1),
        objective_panels.memory(602, SCOPE),
    ]
    return Section(600, "Engines", panels)
