"""RepartitionPlans as rows of gauges: how many are in which phase, and since when."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from api.condition import is_true
from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import PlanPhase, PlanStep
from controller.repartition.phases import TERMINAL, Phase
from controller.telemetry.families import Labels


def plan_rows(plans: Iterable[RepartitionPlan]) -> list[tuple[Labels, float]]:
    """Plans by phase, those that none is in included."""
    counted = Counter(plan.status.phase for plan in plans)
    return [((phase.value,), float(counted[phase])) for phase in PlanPhase]


def degraded_rows(plans: Iterable[RepartitionPlan]) -> list[tuple[Labels, float]]:
    """By node that has plans, those whose way back failed as well, so that a person has to act."""
    counted: Counter[str] = Counter()
    for plan in plans:
        counted[plan.spec.node] += is_true(plan.status.conditions, "Degraded")
    return [((node,), float(count)) for node, count in sorted(counted.items())]


def phase_age_rows(plans: Iterable[RepartitionPlan], now: datetime) -> list[tuple[Labels, float]]:
    """By node and phase, the seconds that the plan which is longest in it has been there.

    Left out are phases that no plan is in, plans that have ended but for those that are not tidied up yet (`Closing`),
    and dry runs, which wait for ever.
    """
    since: dict[tuple[str, str], datetime] = {}
    for plan in plans:
        running = None if plan.spec.dry_run else _running(plan)
        if running is not None:
            phase, began = running
            of = plan.spec.node, phase
            since[of] = min(began, since.get(of, began))
    return [(of, max(0.0, (now - began).total_seconds())) for of, began in sorted(since.items())]


def _running(plan: RepartitionPlan) -> tuple[str, datetime] | None:
    """The phase that the plan is in, or `Closing`, and since when; a plan's first phase begins with the plan."""
    last = plan.status.steps[-1] if plan.status.steps else None
    if last is not None and last.end_time is None and last.start_time is not None:
        return last.name, last.start_time
    created, phase = plan.metadata.creation_timestamp, plan.status.phase
    return (phase.value, created) if created is not None and Phase(phase) not in TERMINAL else None


def ended_phases(before: RepartitionPlan, after: RepartitionPlan, now: datetime) -> Iterator[tuple[str, float]]:
    """The phases, `Closing` included, that ended between two looks at a plan, with their seconds.

    The first phase begins with the plan, which API servers note to the second: it may look a second longer.
    """
    known, steps = {_identity(step) for step in before.status.steps if step.end_time is not None}, after.status.steps
    created, end = after.metadata.creation_timestamp, steps[0].start_time if steps else now
    if not before.status.steps and before.status.phase != after.status.phase and created is not None:
        yield before.status.phase.value, max(0.0, ((end or now) - created).total_seconds())
    for step in steps:
        if step.start_time is not None and step.end_time is not None and _identity(step) not in known:
            yield step.name, max(0.0, (step.end_time - step.start_time).total_seconds())


def _identity(step: PlanStep) -> tuple[str, datetime | None]:
    return step.name, step.start_time
