"""Alerts on mode changes that hang, were taken back, left a GPU as nobody wants it, or wait for a person."""

from typing import Final

from controller.reconcilers.repartition_plan.closing import CLOSING
from controller.repartition.phases import DEADLINE_SECONDS, Phase
from controller.telemetry.instruments import PLAN_PHASE_AGE, PLANS_DEGRADED, SCHEDULER_OPERATIONS
from dashboards.promql import highest, increase, total
from dashboards.rules.expressions import of_leader, series
from dashboards.rules.pace import Pace
from dashboards.rules.rule import Alert, Group, Severity

#: A plan ends its phase at the deadline by itself; what is in it for a tenth longer nobody ends.
PAST_DEADLINE: Final = 1.1
LIMITS: Final[dict[str, float]] = {
    phase.value: PAST_DEADLINE * seconds for phase, seconds in DEADLINE_SECONDS.items() if seconds is not None
}
"""Seconds in a phase after which a plan hangs, of each phase that has a deadline."""
#: A plan that ended waits for its agent's last operation, which takes as long as the longest phase at most.
CLOSES: Final = max(LIMITS.values())

#: Half a working day: claims that would get a place by it wait as long.
APPROVAL_SECONDS: Final = 4 * 3600.0
#: For so long somebody is told that a change was taken back.
TOLD_SECONDS: Final = 1800.0


def repartition(pace: Pace) -> Group:
    """Plans that need a look."""
    return Group("repartition", (_stuck(pace), _rolled_back(pace), _degraded(pace), _awaits_approval(pace)))


def _age(pace: Pace, phase: str) -> str:
    return highest(of_leader(pace, PLAN_PHASE_AGE, phase=phase), ("node", "phase"))


def _stuck(pace: Pace) -> Alert:
    late = (
        f"({_age(pace, phase)} > {pace.number(seconds)})" for phase, seconds in (LIMITS | {CLOSING: CLOSES}).items()
    )
    return Alert(
        name="AimRepartitionStuck",
        severity=Severity.CRITICAL,
        expression=" or ".join(late),
        seconds=60,
        summary="A mode change is past its deadline and nobody ends it",
        description="A RepartitionPlan of node {{ $labels.node }} has been in phase {{ $labels.phase }} for "
        "{{ $value | humanizeDuration }}, longer than that phase may last: the operator does not get on with it.",
    )


def _rolled_back(pace: Pace) -> Alert:
    back = series(SCHEDULER_OPERATIONS, operation="repartition", result=Phase.ROLLED_BACK)
    return Alert(
        name="AimRepartitionRolledBack",
        severity=Severity.WARNING,
        expression=f"{total(increase(back, pace.text(TOLD_SECONDS)), ())} > 0",
        seconds=0,
        summary="A mode change was rolled back",
        description="In the last 30 minutes a RepartitionPlan failed after it had begun to change GPUs, and they were "
        "put back into their former modes. `kubectl get repartitionplans -o wide` tells on which node, and why.",
    )


def _degraded(pace: Pace) -> Alert:
    return Alert(
        name="AimRepartitionDegraded",
        severity=Severity.CRITICAL,
        expression=f"{highest(of_leader(pace, PLANS_DEGRADED), ('node',))} > 0",
        seconds=60,
        summary="A mode change failed, and so did its way back",
        description="GPUs of node {{ $labels.node }} are in modes that nobody asked for: the plan's condition Degraded "
        "says what a person has to do.",
    )


def _awaits_approval(pace: Pace) -> Alert:
    return Alert(
        name="AimRepartitionAwaitsApproval",
        severity=Severity.INFO,
        expression=f"{_age(pace, Phase.AWAITING_APPROVAL)} > {pace.number(APPROVAL_SECONDS)}",
        seconds=60,
        summary="A mode change has been waiting for an approval for four hours",
        description="A RepartitionPlan of node {{ $labels.node }} has been waiting for a person's approval for "
        "{{ $value | humanizeDuration }}, and so have the claims that would get a place by it.",
    )
