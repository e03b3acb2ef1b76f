"""How claims get their partitions: who waits and why, how full and fragmented GPUs are, what changes, and by whom."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from controller.telemetry.instruments import (
    AGENT_UP,
    BUILD_INFO,
    CLAIMS,
    GPU_PARTITIONS,
    NODE_PARTITIONS_UNHEALTHY,
    PARTITION_CLAIMS,
    PLAN_PHASE_AGE,
    PLAN_PHASE_SECONDS,
    PLANS_DEGRADED,
    SCHEDULER_ALLOCATION,
    SCHEDULER_OPERATION_SECONDS,
    SCHEDULER_OPERATIONS,
    SCHEDULER_PENDING,
    SCHEDULER_STRANDED,
    SCHEDULER_TIME_TO_BIND,
    SERVICE_CONDITION,
)
from dashboards import capacity_panels, change_panels, map_panels, operator_panels, waiting_panels
from dashboards.board import About, Section, board
from dashboards.levels import BAD, GOOD
from dashboards.links import PARTITIONS, SCHEDULER, of_line, to_runbook
from dashboards.panels import FULL, MOST_ROWS, Caption, Query, events, graph, stacked, timeline, with_link
from dashboards.promql import (
    CLUSTER,
    Scope,
    bottom,
    highest,
    lowest,
    missed,
    none_of,
    per_minute,
    quantile,
    rate,
    top,
    total,
)
from dashboards.variables import QUANTILE, choices, quantiles

SCOPE = Scope((CLUSTER, "namespace", "service", "product"))
ABOUT = About(
    SCHEDULER,
    "AIM GPU sharing / Scheduler",
    "How claims get their partitions: who waits and why, how full and fragmented GPUs are, what changes.",
)
#: Results that nobody has to look after: what worked, what began, and a claim that goes on waiting.
EXPECTED = none_of("success", "planned", "released", "ended", "unplaced", "Succeeded")


def dashboard() -> Dashboard:
    """The dashboard."""
    variables = [
        *choices(
            {CLUSTER: [BUILD_INFO], "namespace": [SERVICE_CONDITION, SCHEDULER_PENDING], "service": [SERVICE_CONDITION]}
        ),
        *choices({CLUSTER: [BUILD_INFO], "product": [SCHEDULER_ALLOCATION]})[1:],
    ]
    own = [operator_panels.section(600, SCOPE), map_panels.section(700, SCOPE)]
    sections = [_waiting(), _decisions(), _capacity(), _changes(), _nodes(), *own]
    return board(ABOUT, [*variables, quantiles()], sections)


def _waiting() -> Section:
    bind = Caption(
        103,
        "Time from claim to place, quantile $quantile",
        "From a claim's making until a place is chosen (bound), and until the cluster's scheduler agreed (allocated). "
        "Of claims that got there; those that still wait are above.",
        "s",
    )
    phases = Caption(
        104,
        "Claims, by phase",
        "All GPUPartitionClaims: Pending wait, Bound have a place that is not confirmed yet, Allocated have it.",
        "short",
    )
    allocated = Caption(
        105,
        "Services that have all their partitions",
        "Condition Allocated of each InferenceService; a gap: not known, as where nothing was asked for yet. Of more "
        "than 40 those that have not come first.",
        "short",
    )
    by_service = lowest(SCOPE.series(SERVICE_CONDITION, condition="Allocated"), ("namespace", "service"))
    to_bind = quantile(f"${QUANTILE}", SCOPE.buckets(SCHEDULER_TIME_TO_BIND), ("stage",))
    panels = [
        waiting_panels.by_reason(101, SCOPE),
        waiting_panels.longest(102, SCOPE),
        graph(bind, Query(to_bind, "{{cluster}} {{stage}}", exemplars=True)),
        stacked(phases, Query(total(SCOPE.series(CLAIMS), ("phase",)), "{{cluster}} {{phase}}")),
        timeline(
            allocated,
            Query(bottom(MOST_ROWS, by_service), "{{cluster}} {{namespace}}/{{service}}"),
            {1: ("allocated", GOOD), 0: ("not allocated", BAD)},
        ).span(FULL),
    ]
    return Section(100, "Who waits, and why", panels)


def _decisions() -> Section:
    operations = Caption(
        201,
        "Operations, by kind and result",
        "What the scheduler does in a second: place, bind, confirm, release, preempt, repartition and so on.",
        "ops",
    )
    unsuccessful = Caption(
        202,
        "Operations that did not succeed",
        "In a minute: refused by the API server, taken by somebody else meanwhile, rolled back or failed. Lost "
        "races are tried again; what keeps coming back is worth a look at the operator's log.",
        "cpm",
    )
    length = Caption(
        203,
        "Length of a decision, quantile $quantile",
        "cycle: one look at all that waits; layouts: the joint choice of modes; explain: the answer to a person.",
        "s",
    )
    isolation = Caption(
        204,
        "Claims with a partition, by isolation",
        "What keeps each model apart from its neighbours on the GPU, from memory and compute of its own down to good "
        "behaviour alone (cooperative).",
        "short",
    )
    legend = "{{cluster}} {{operation}} {{result}}"
    bad = per_minute(SCOPE.series(SCHEDULER_OPERATIONS, result=EXPECTED))
    lengths = quantile(f"${QUANTILE}", SCOPE.buckets(SCHEDULER_OPERATION_SECONDS), ("operation",))
    panels = [
        graph(operations, Query(total(rate(SCOPE.series(SCHEDULER_OPERATIONS)), ("operation", "result")), legend)),
        events(unsuccessful, Query(total(bad, ("operation", "result")), legend)),
        graph(length, Query(lengths, "{{cluster}} {{operation}}", exemplars=True)),
        stacked(isolation, Query(total(SCOPE.series(PARTITION_CLAIMS), ("isolation",)), "{{cluster}} {{isolation}}")),
    ]
    return Section(200, "Decisions", panels)


def _capacity() -> Section:
    modes = Caption(
        303,
        "Partitions, by mode",
        "How GPUs are cut now. A change of the mix is a mode change.",
        "short",
    )
    stranded = Caption(
        305,
        "Memory that nobody can use",
        "inside: held beyond what claims were sized at, as partitions come in few sizes; free: no known claim fits.",
        "bytes",
    )
    by_mode = total(SCOPE.series(GPU_PARTITIONS), ("product", "mode"))
    memory = total(SCOPE.series(SCHEDULER_STRANDED), ("product", "place"))
    panels = [
        capacity_panels.allocated(301, SCOPE),
        capacity_panels.by_holder(302, SCOPE),
        stacked(modes, Query(by_mode, "{{cluster}} {{product}} {{mode}}")),
        capacity_panels.fragmentation(304, SCOPE),
        stacked(stranded, Query(memory, "{{cluster}} {{product}} {{place}}")).span(FULL),
    ]
    return Section(300, "Capacity", panels)


def _changes() -> Section:
    age = Caption(
        402,
        "Longest time in a phase",
        "How long the plan that is longest in each phase has been in it. Phases that end by themselves have a limit, "
        "after which the plan goes back; AwaitingApproval waits for a person.",
        "s",
    )
    length = Caption(
        403,
        "Length of phases that ended, quantile $quantile",
        "How long mode changes take, and where: most of it is Draining, the time that pods take to leave.",
        "s",
    )
    degraded = Caption(
        404,
        "Plans whose way back failed",
        "GPUs of these nodes are in neither the old nor the new layout, and a person has to act. Zero, "
        "or nothing to show, is good.",
        "short",
    )
    lengths = quantile(f"${QUANTILE}", SCOPE.buckets(PLAN_PHASE_SECONDS), ("phase",))
    panels = [
        change_panels.plans(401, SCOPE),
        graph(
            age, Query(highest(SCOPE.series(PLAN_PHASE_AGE), ("node", "phase")), "{{cluster}} {{node}} {{phase}}")
        ).links([to_runbook("AimRepartitionStuck"), to_runbook("AimRepartitionAwaitsApproval")]),
        graph(length, Query(lengths, "{{cluster}} {{phase}}", exemplars=True)),
        _by_node(degraded, total(SCOPE.series(PLANS_DEGRADED), ("node",))).links(
            [to_runbook("AimRepartitionDegraded")]
        ),
        change_panels.evictions(405, SCOPE),
        change_panels.operations(406, SCOPE),
    ]
    return Section(400, "Mode changes and evictions", panels)


def _nodes() -> Section:
    lost = Caption(
        501,
        "Nodes whose agent does not answer",
        "An agent renews its Lease; once it does not, nothing new is bound on the node. Nothing to show is good.",
        "short",
    )
    unhealthy = Caption(
        502,
        "Partitions that are unhealthy or missing, by node",
        "As agents report them: the ten nodes with most. Nothing to show is good.",
        "short",
    )
    without = f"{missed(lowest(SCOPE.series(AGENT_UP), ('node',)))} > 0"
    panels = [
        _by_node(lost, without).links([to_runbook("AimNodeAgentLost"), to_runbook("AimNodeAgentNotScraped")]),
        _by_node(unhealthy, top(10, f"{total(SCOPE.series(NODE_PARTITIONS_UNHEALTHY), ('node',))} > 0")).links(
            [to_runbook("AimNodePartitionsUnhealthy")]
        ),
    ]
    return Section(500, "Nodes", panels)


def _by_node(caption: Caption, expr: str) -> timeseries.Panel:
    return with_link(
        graph(caption, Query(expr, "{{cluster}} {{node}}")), of_line("Partitions of the node", PARTITIONS, "node")
    )
