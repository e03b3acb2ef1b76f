"""Draining: nobody may hold the GPUs. A pod of ours is asked to leave once a place stands reserved for its successor.

The reservation is recorded at one look and acted upon at the next, when the informer shows it: so placement knows of
it, and a crash in between evicts nobody twice and nobody without a place. A disruption budget that forbids an
eviction is asked again until the deadline.
"""

from dataclasses import dataclass, field

from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import Reservation
from controller.placement.snapshot import Node, PolicyView, Snapshot
from controller.reconcilers.repartition_plan.approval import refused_seen, withdrawn
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.feasible import refusal, unready
from controller.reconcilers.repartition_plan.holders import are, holders_of, touched
from controller.reconcilers.repartition_plan.impact import lines
from controller.reconcilers.repartition_plan.operation import clear
from controller.reconcilers.repartition_plan.reservations import (
    down,
    evicted,
    holds,
    reservation,
    still_there,
    unavailable_pods,
)
from controller.reconcilers.repartition_plan.seen import Seen
from controller.reconcilers.repartition_plan.victims import movable, victims_of
from controller.reconcilers.scheduler_counts import Eviction
from controller.repartition.disruption_budget import Refused, Usage, budget_left
from controller.repartition.drain import decide_drain
from controller.repartition.phases import Event
from controller.runtime.client.errors import Conflict, NotFound, TooManyRequests
from controller.state.cluster import Cluster
from controller.state.plans import changes_modes


def observe_draining(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """Whether the GPUs are idle, still in use, or no longer what the plan starts from."""
    refused = refused_seen(refusal(cluster, plan)) or withdrawn(plan)
    if refused is not None:
        return refused
    lacks = unready(cluster, plan)
    if lacks is not None:
        return Seen(None, lacks)
    holders = holders_of(cluster, plan)
    if holders is None:
        return Seen(None, f"node {plan.spec.node} has no inventory yet")
    if holders:
        return Seen(None, f"waits until {are(holders)} idle")
    if not changes_modes(plan):
        return Seen(Event.EMPTIED, "nobody holds the GPUs, and their modes stay")
    return Seen(Event.IDLE, "nobody holds the GPUs")


async def drain(context: PlanContext, plan: RepartitionPlan) -> Seen:
    """Evict who has a place elsewhere; find places for who has none."""
    await clear(context, plan.spec.node, plan.metadata.uid or "")  # of an attempt that found the GPUs busy
    seen = observe_draining(context.cluster, plan)
    snapshot = context.cluster.snapshot()
    node = snapshot.node(plan.spec.node)
    if node is None or seen.event is not None or unready(context.cluster, plan) is not None:
        return seen  # nobody is disturbed for what cannot be done now
    round_ = await _evict(context, plan, snapshot, node)
    if round_.kept != plan.status.reservations:
        return Seen(None, round_.message or seen.message, {"reservations": round_.kept})
    if round_.message:
        return Seen(None, round_.message)
    return _reserve(context, snapshot, node, plan, seen)


@dataclass(slots=True)
class _Round:
    """One round of evictions: the reservations after it, and what kept pods from being evicted."""

    kept: list[Reservation] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    too_many: str = ""

    @property
    def message(self) -> str:
        return self.too_many or (f"waits for disruption budgets: {'; '.join(self.refused)}" if self.refused else "")


async def _evict(context: PlanContext, plan: RepartitionPlan, snapshot: Snapshot, node: Node) -> _Round:
    """Ask those to leave whose places stand in the status. A place that was lost meanwhile is given up first.

    So is that of a pod that may not be moved any more. What is down is counted anew before each eviction: successors
    fail, policies change, and others move pods, too.
    """
    done, allowed = _Round(), movable(context.cluster, plan, approved=plan.spec.approved)
    may_go = {(each.namespace, each.claim) for each in victims_of(context.cluster, node, plan) if allowed(each)}
    # a pod of several partitions has a place for each: it goes once, and not without all of them
    may_go -= {(each.namespace, each.claim) for each in plan.status.reservations if not holds(snapshot, each)}
    asked: dict[tuple[str, str], str | None] = {}
    for number, kept in enumerate(plan.status.reservations):
        pod = still_there(context.cluster, kept) if kept.evicted_time is None else None
        if kept.evicted_time is not None:
            done.kept.append(kept)
        elif pod is None:
            done.kept.append(evicted(kept, context.clock.now()))  # by us before a crash, or it left by itself
        elif (kept.namespace, kept.claim) in asked:
            done.kept.append(_after(kept, asked[kept.namespace, kept.claim], context))
        elif (kept.namespace, kept.claim) in may_go:
            present = _with(plan, [*done.kept, *plan.status.reservations[number:]])
            others = (each for each in context.plans if each.metadata.uid != plan.metadata.uid)
            done.too_many = done.too_many or _too_many(node.policy, down(context.cluster, [*others, present]))
            if done.too_many:
                done.kept.append(kept)
                continue
            refusal = await _ask(context, pod.namespace, pod.name, pod.uid)
            asked[kept.namespace, kept.claim] = refusal
            done.kept.append(_after(kept, refusal, context))
            done.refused += [refusal] if refusal is not None else []
    return done


def _after(kept: Reservation, refusal: str | None, context: PlanContext) -> Reservation:
    return kept if refusal is not None else evicted(kept, context.clock.now())


def _with(plan: RepartitionPlan, places: list[Reservation]) -> RepartitionPlan:
    return plan.model_copy(update={"status": plan.status.model_copy(update={"reservations": places})})


def _too_many(policy: PolicyView | None, down: int) -> str:
    """That no more pods may go now, as a sentence; "" when one more may. Without a policy they go one by one."""
    limit = policy.max_unavailable_pods if policy is not None else 1
    return f"waits: {down} of repartition.maxUnavailablePods {limit} pods are down" if down >= limit else ""


async def _ask(context: PlanContext, namespace: str, name: str, uid: str) -> str | None:
    """Ask for the eviction of that very pod; why it is refused for now, None when it goes or has gone."""
    try:
        await context.client.evict(name, namespace, uid)
    except TooManyRequests as error:
        return f"{namespace}/{name}: {error}"
    except (NotFound, Conflict):
        return None
    context.counts.evicted(Eviction.REPARTITION, uid)
    return None


def _reserve(context: PlanContext, snapshot: Snapshot, node: Node, plan: RepartitionPlan, seen: Seen) -> Seen:
    """Places for the next pods that have to leave, as many as the budget lets go at once."""
    planned = {(kept.namespace, kept.claim) for kept in plan.status.reservations}
    left = [
        victim for victim in victims_of(context.cluster, node, plan) if (victim.namespace, victim.claim) not in planned
    ]
    if not left:
        return seen
    usage = Usage(unavailable_pods=unavailable_pods(context.cluster, context.plans))
    decided = decide_drain(
        snapshot,
        node.name,
        touched(plan, node),
        left,
        budget_left=budget_left(node.policy, usage) if node.policy is not None else int(not usage.unavailable_pods),
        allowed=movable(context.cluster, plan, approved=plan.spec.approved),
    )
    if isinstance(decided, Refused):
        return Seen(None, f"{seen.message}; {decided.message}")
    if not decided.moves:
        return Seen(None, f"{seen.message}; {decided.waiting}" if decided.waiting else seen.message)
    kept = [*plan.status.reservations, *map(reservation, decided.moves)]
    moved = lines(decided.moves)
    after = [moved.get(known.partition(":")[0], known) for known in plan.status.after]
    names = ", ".join(moved)
    return Seen(None, f"places are kept for the successors of {names}", {"reservations": kept, "after": after})
