"""What was tried for a claim, by the plans that are still there."""

from datetime import datetime

from api.v1beta1 import RepartitionPlan
from controller.gpu.mode import Mode
from controller.repartition.attempts import FIRST_REST, Attempt, Attempts, Change
from controller.repartition.phases import TERMINAL, Phase
from controller.state.plans import Plans


def attempts_for(plans: Plans, claim_uid: str, now: datetime) -> Attempts:
    """The changes that were made for a claim, or given up. While it asks for another one, none of them helped.

    A plan that somebody deletes is forgotten, and the same change may be tried again at once.
    """
    return Attempts(
        (
            Attempt(_change(plan), ended)
            for plan in plans.values()
            if _was_for(plan, claim_uid) and (ended := _ended(plan)) is not None
        ),
        now,
    )


def failed_lately(plans: Plans, change: Change, now: datetime) -> bool:
    """Whether this very change failed, for whatever claim, so lately that it is not tried for another one."""
    return any(
        _change(plan) == change and now < ended + FIRST_REST
        for plan in plans.values()
        if Phase(plan.status.phase) in (Phase.FAILED, Phase.ROLLED_BACK)
        and not plan.spec.dry_run
        and (ended := _ended(plan)) is not None
    )


def _was_for(plan: RepartitionPlan, claim_uid: str) -> bool:
    over = Phase(plan.status.phase) in TERMINAL and not plan.spec.dry_run
    return over and plan.spec.claim_ref is not None and plan.spec.claim_ref.uid == claim_uid


def _ended(plan: RepartitionPlan) -> datetime | None:
    """When its last step ended; of a plan that ended before its first one, when it was made."""
    ends = [step.end_time for step in plan.status.steps if step.end_time is not None]
    return max(ends, default=plan.metadata.creation_timestamp)


def _change(plan: RepartitionPlan) -> Change:
    after = ((gpu.bdf, Mode.parse(gpu.mode)) for gpu in plan.spec.to.gpus)
    return Change(plan.spec.node, tuple(sorted(after, key=lambda entry: entry[0])))
