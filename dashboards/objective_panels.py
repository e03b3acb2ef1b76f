"""Whether services keep what they promise: error budgets, conditions, replicas. Panels of more than one dashboard."""

from typing import Final

from grafana_foundation_sdk.builders import statetimeline, table, timeseries

from api.seconds import format_duration
from controller.qos.error_budget import TIERS
from controller.telemetry.instruments import (
    MODEL_MEMORY_ESTIMATE,
    MODEL_MEMORY_OBSERVED,
    SERVICE_CONDITION,
    SERVICE_REPLICAS,
    SLO_BUDGET,
    SLO_BURN,
    SLO_BURN_LIMIT,
    SLO_SLOW,
)
from dashboards.board import Section
from dashboards.levels import BAD, GOOD, falling, limit
from dashboards.links import MODELS, of_row, to_runbook
from dashboards.panels import HALF, MOST_ROWS, Caption, Query, graph, timeline
from dashboards.promql import Matching, Scope, bottom, highest, lowest, total
from dashboards.tables import Figure, Key, Order, grid

SERVICE: Final = ("namespace", "service")
OBJECTIVE: Final = (*SERVICE, "metric", "percentile", "threshold")
NAME: Final = "{{cluster}} {{namespace}}/{{service}}"
OBJECTIVE_NAME: Final = f"{NAME} {{{{metric}}}} {{{{percentile}}}} {{{{threshold}}}}"
#: Of a budget of 30 days.
LEFT: Final = falling(0, 0.25)
#: UpdateBlocked is the one condition that is good while False.
SHOULD_BE: Final = Matching("!=", "UpdateBlocked")


def section(number: int, scope: Scope) -> Section:
    """The panels, numbered from `number` on."""
    panels = [
        budgets(number + 1, scope),
        burning(number + 2, scope, TIERS[0].long_seconds),
        burning(number + 3, scope, TIERS[1].long_seconds),
        conditions(number + 4, scope),
        _replicas(number + 5, scope),
    ]
    return Section(number, "Objectives", panels)


def budgets(number: int, scope: Scope) -> table.Panel:
    """What is left of each objective's budget, and how fast it goes."""
    caption = Caption(
        number,
        "Error budgets",
        "Left: share of the budget of 30 days. Burn: how many times faster than allowed it goes, by window; at 1 it "
        "ends with the 30 days. Of its limit: the burn over what is too fast, over the window with most; above 1 "
        "somebody is told, once a short window agrees. Few slow requests say little.",
        "short",
    )
    keys = [
        Key("cluster", "Cluster"),
        Key("namespace", "Namespace"),
        Key("service", "Service", of_row("Requests of the service", MODELS, *SERVICE)),
        Key("metric", "Metric"),
        Key("percentile", "Percentile"),
        Key("threshold", "Threshold"),
    ]
    figures = [Figure("Left", lowest(scope.series(SLO_BUDGET), OBJECTIVE), "percentunit", LEFT)]
    of_limits = highest(f"{scope.series(SLO_BURN)} / {scope.series(SLO_BURN_LIMIT)}", OBJECTIVE)
    figures.append(Figure("Of its limit", of_limits, "none", limit(1)))
    for tier in TIERS:
        window = format_duration(tier.long_seconds)
        burn = highest(scope.series(SLO_BURN, window=window), OBJECTIVE)
        figures.append(Figure(f"Burn over {window}", burn, "none"))
    window = format_duration(TIERS[0].long_seconds)
    slow = highest(scope.series(SLO_SLOW, window=window), OBJECTIVE)
    figures.append(Figure(f"Slow requests in {window}", slow, "short"))
    links = [to_runbook("AimSloBurnsFast"), to_runbook("AimSloBurnsSlowly")]
    return grid(caption, keys, figures, Order(figures[1].text)).links(links)


def burning(number: int, scope: Scope, seconds: int) -> timeseries.Panel:
    """How fast budgets go over one window."""
    window = format_duration(seconds)
    (tier,) = [tier for tier in TIERS if tier.long_seconds == seconds]
    caption = Caption(
        number,
        f"Burn rate over {window}, of its limit",
        f"How fast each objective's budget goes, over what is too fast for it. Above 1, and over "
        f"{format_duration(tier.short_seconds)} too, somebody is told.",
        "none",
    )
    burn = highest(scope.series(SLO_BURN, window=window), OBJECTIVE)
    most = lowest(scope.series(SLO_BURN_LIMIT, window=window), OBJECTIVE)
    query = Query(f"{burn} / {most}", OBJECTIVE_NAME)
    return graph(caption, query, levels=limit(1)).links([to_runbook("AimSloBurnsFast")])


def conditions(number: int, scope: Scope) -> statetimeline.Panel:
    """What each service says of itself."""
    caption = Caption(
        number,
        "Conditions of services",
        "Those that should be True: green while they are, red while False; a gap: not known. Of more than 40 those "
        "that are False come first. The message is in `kubectl describe aimisvc`.",
        "short",
    )
    condition = lowest(scope.series(SERVICE_CONDITION, condition=SHOULD_BE), (*SERVICE, "condition"))
    query = Query(bottom(MOST_ROWS, condition), f"{NAME} {{{{condition}}}}")
    panel = timeline(caption, query, {1: ("True", GOOD), 0: ("False", BAD)})
    return panel.links([to_runbook("AimInferenceServiceNotReady")])


def missing(scope: Scope) -> str:
    """Replicas that services want and do not have ready."""
    wanted, ready = (total(scope.series(SERVICE_REPLICAS, state=state), SERVICE) for state in ("wanted", "ready"))
    return f"{wanted} - {ready}"


def memory(number: int, scope: Scope) -> table.Panel:
    """What models were sized at, beside what their engines take."""
    caption = Caption(
        number,
        "Memory, estimated and observed",
        "What a model's engine should take, at least (empty KV cache) and at most, and the most that one was seen to "
        "take. Seen above most: sized too small, and engines may run out. Seen below least: sized too large.",
        "bytes",
    )
    keys = [Key("cluster", "Cluster"), Key("profile", "Profile"), Key("model", "Model")]
    by = ("profile", "model")
    least, most = (highest(scope.series(MODEL_MEMORY_ESTIMATE, bound=bound), by) for bound in ("least", "most"))
    seen = highest(scope.series(MODEL_MEMORY_OBSERVED), by)
    figures = [Figure("Least", least, "bytes"), Figure("Most", most, "bytes"), Figure("Seen", seen, "bytes")]
    levels = limit(1)
    figures.append(Figure("Seen of most", f"{seen} / {most}", "percentunit", levels))
    links = [to_runbook("AimModelMemoryUnderestimated"), to_runbook("AimModelMemoryOverestimated")]
    return grid(caption, keys, figures, Order("Seen of most")).span(HALF).links(links)


def _replicas(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Replicas, wanted and ready",
        "By service. Ready below wanted for long: look who waits, in the scheduler's dashboard.",
        "short",
    )
    replicas = total(scope.series(SERVICE_REPLICAS), (*SERVICE, "state"))
    return graph(caption, Query(replicas, f"{NAME} {{{{state}}}}"))
