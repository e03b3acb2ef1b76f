"""What changes now: mode changes, evictions, what agents carry out. Panels of more than one dashboard."""

from grafana_foundation_sdk.builders import timeseries

from controller.repartition.phases import NOT_BEGUN, TERMINAL, Phase
from controller.telemetry.instruments import AGENT_OPERATIONS, PLANS, SCHEDULER_EVICTIONS
from dashboards.links import to_runbook
from dashboards.panels import Caption, Query, events, stacked
from dashboards.promql import Scope, one_of, per_minute, total

UNFINISHED = tuple(phase.value for phase in Phase if phase not in TERMINAL)
#: Phases in which a plan has begun and not ended: GPUs are being emptied, changed or put back.
UNDER_WAY = tuple(phase.value for phase in Phase if phase not in NOT_BEGUN | TERMINAL)


def plans(number: int, scope: Scope) -> timeseries.Panel:
    """Mode changes that have not ended."""
    caption = Caption(
        number,
        "Mode changes that have not ended, by phase",
        "RepartitionPlans from Pending to the end of their way forward or back. AwaitingApproval stays until a person "
        "says yes or no: `aim-gpu approve PLAN`.",
        "short",
    )
    query = Query(total(scope.series(PLANS, phase=one_of(*UNFINISHED)), ("phase",)), "{{cluster}} {{phase}}")
    return stacked(caption, query).links(
        [to_runbook("AimRepartitionStuck"), to_runbook("AimRepartitionAwaitsApproval")]
    )


def evictions(number: int, scope: Scope) -> timeseries.Panel:
    """Pods that were asked to leave."""
    caption = Caption(
        number,
        "Pods evicted, by why",
        "In a minute: for a more important claim (Preemption), a mode change (Repartition), a partition that is "
        "ill (Unhealthy) or a new revision (Rollout).",
        "cpm",
    )
    query = Query(total(per_minute(scope.series(SCHEDULER_EVICTIONS)), ("reason",)), "{{cluster}} {{reason}}")
    return events(caption, query)


def operations(number: int, scope: Scope) -> timeseries.Panel:
    """Mode changes that agents carried out."""
    caption = Caption(
        number,
        "Mode changes carried out by agents, by result",
        "In a minute, as the agents count what they did to the hardware.",
        "cpm",
    )
    query = Query(total(per_minute(scope.series(AGENT_OPERATIONS)), ("result",)), "{{cluster}} {{result}}")
    return events(caption, query).links([to_runbook("AimRepartitionRolledBack")])
