"""How long things took here before: the start of a pod, the change of a node's modes. Measured, or not known."""

from collections.abc import Iterable
from datetime import datetime
from statistics import median_high

from api.v1beta1 import RepartitionPlan
from controller.repartition.phases import HARDWARE, Phase
from controller.runtime.objects.pod import Pod
from controller.state.plans import reloads

#: From the first of these steps to the end of the last nobody is served on a plan's GPUs.
_AWAY = frozenset({Phase.QUIESCING, *HARDWARE})


def start_seconds(pod: Pod) -> float | None:
    """From when the pod was given its node until it was last found ready; None for one that is not ready.

    One that was unready for a while seems to have started that much later: Kubernetes tells no more.
    """
    when = {
        one.type: datetime.fromisoformat(one.last_transition_time)
        for one in pod.status.conditions
        if one.status == "True" and one.last_transition_time is not None
    }
    if "Ready" not in when or "PodScheduled" not in when:
        return None
    return max(0.0, (when["Ready"] - when["PodScheduled"]).total_seconds())


def change_seconds(plans: Iterable[RepartitionPlan], *, reload: bool) -> float | None:
    """How long GPUs were away for a change, the middle one of those that succeeded; None when there was none.

    `reload`: of changes that reload the driver, else of those that do not.
    """
    took = [
        seconds
        for plan in plans
        if Phase(plan.status.phase) is Phase.SUCCEEDED and reloads(plan) is reload
        for seconds in [_away(plan)]
        if seconds is not None
    ]
    return median_high(took) if took else None


def _away(plan: RepartitionPlan) -> float | None:
    steps = [step for step in plan.status.steps if step.name in _AWAY]
    if not any(step.name in HARDWARE for step in steps):
        return None  # it moved pods and changed nothing
    began, ended = steps[0].start_time, steps[-1].end_time
    return (ended - began).total_seconds() if began is not None and ended is not None else None
