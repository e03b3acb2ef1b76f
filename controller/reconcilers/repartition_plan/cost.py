"""What a plan would cost those who are served on its GPUs, for whoever approves it."""

from collections.abc import Iterable

from api.duration import format_duration
from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import PlanCost
from controller.repartition.disturbance import Disturbance, disturbance
from controller.repartition.victims import Victim
from controller.state.cluster import Cluster
from controller.state.durations import change_seconds, start_seconds
from controller.state.plans import changes_modes, reloads


def cost_of(cluster: Cluster, plan: RepartitionPlan, victims: Iterable[Victim]) -> PlanCost:
    """The cost when these pods have to move. What nobody has measured here is left out."""
    away = change_seconds(cluster.plan_table.values(), reload=reloads(plan)) if changes_modes(plan) else 0.0
    found = disturbance((started_in(cluster, victim) for victim in victims), away)
    return PlanCost(
        evictions=found.evictions,
        restart_seconds=_whole(found.restart_seconds),
        change_seconds=_whole(found.change_seconds),
        summary=summary(found),
    )


def started_in(cluster: Cluster, victim: Victim) -> float | None:
    """How many seconds the pod took to start; None where that is not known."""
    pod = cluster.pods.store.get(victim.name)
    return None if pod is None else start_seconds(pod)


def summary(cost: Disturbance) -> str:
    """The cost for people: `2 pods start anew (3m10s), a mode change (45s)`."""
    pods = "1 pod starts" if cost.evictions == 1 else f"{cost.evictions} pods start"
    told = [] if not cost.evictions else [f"{pods} anew" + _in_brackets(cost.restart_seconds)]
    if cost.change_seconds != 0:
        told.append(f"a mode change{_in_brackets(cost.change_seconds)}")
    return ", ".join(told) or "nobody is disturbed"


def _in_brackets(seconds: float | None) -> str:
    return "" if seconds is None else f" ({format_duration(round(seconds))})"


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
