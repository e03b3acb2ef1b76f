"""The explanation in a waiting claim's status: why, and the nearest change that would give it its place.

A search costs more than a decision, so claims that ask alike share one for a while, and searches take no more than a
tenth of the time: who comes when it is used up is told without, or what was found before, and comes again. Nobody is
searched for again before the others had their turn. One is made at a time, in slices, on a snapshot of its beginning.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from api.v1beta1 import InferenceService
from api.v1beta1.gpu_sharing_policy import Rollout, WhenFull
from controller.gpu.mode import Mode
from controller.placement.changes.look import Circumstances, ModeAfter, Obstacle
from controller.placement.decision import Unplaced
from controller.placement.demand import Demand
from controller.placement.explanation import Explanation
from controller.placement.nearest import Offer, seeking_nearest
from controller.placement.scores import Scorer
from controller.placement.snapshot import Node
from controller.placement.steps import Steps
from controller.reconcilers.gpu_partition_claim.asking_for_less import Lesser
from controller.reconcilers.scheduler_counts import SchedulerCounts, Timed
from controller.repartition.disruption_budget import Usage, refuse_change
from controller.runtime.clock import Clock
from controller.runtime.slices import Slices
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.state.occupancy import admin_held
from controller.translate.pod import PodView
from controller.translate.policy_choice import REASONS

#: How long what was found counts as found just now, seconds.
FRESH_SECONDS: Final = 2.0
#: How long it is told again while there is no time for another search, seconds.
KEPT_SECONDS: Final = 60.0
#: The share of the time that searches may take, and how much of it may be saved up, seconds.
SHARE: Final = 0.1
MOST_CREDIT: Final = 0.5
#: Different demands whose offers are kept.
MOST_KEPT: Final = 1024
_NOT_FOR_PLUGINS: Final = "What policies say of {} passes it by: its device is the kubelet's choice"
#: What stands against a mode change for some time only.
_PASSING: Final = frozenset(
    {"RepartitionRunning", "RepartitionBudget", "UnavailablePodsBudget", "Cooldown", "OutsideWindow"}
)


def circumstances(
    cluster: Cluster, demand: Demand, sizing: Models, pod: PodView, service: InferenceService | None
) -> Circumstances:
    """What bears on changes for a demand, asked of the cluster as it is now."""
    plans = cluster.plan_table

    def evictable(claim: str) -> int | None:
        found = cluster.claim_table.get(claim)
        holder = cluster.pod_table.of_claim(found) if found is not None else None
        if holder is None or holder.deleting or holder.terminal or holder.owner is None:
            return None
        return holder.priority

    def after_plan(node: str) -> ModeAfter:
        names = plans.running_on(node)
        running = [plan for name in names if (plan := plans.get(name)) is not None]
        return {gpu.bdf: Mode.parse(gpu.mode) for plan in running for gpu in plan.spec.to.gpus}

    def obstacle(node: Node) -> Obstacle | None:
        refused = refuse_change(node, demand.namespace, Usage(plans.active_nodes()))
        return None if refused is None else Obstacle(refused.message, refused.reason in _PASSING)

    return Circumstances(evictable, Lesser(pod, service, sizing), after_plan, obstacle, admin_held(cluster))


@dataclass(slots=True)
class _Found:
    offers: tuple[Offer, ...]
    at: float


class Explaining:
    """Explains waiting claims. Keeps what was found, for a short while."""

    def __init__(
        self, cluster: Cluster, sizing: Models, scorer: Scorer, clock: Clock, counts: SchedulerCounts | None = None
    ) -> None:
        self._cluster = cluster
        self._sizing = sizing
        self._scorer = scorer
        self._counts = counts or SchedulerCounts()
        self._clock = clock
        self._found: dict[object, _Found] = {}
        self._credit, self._counted_at = MOST_CREDIT, clock.monotonic()
        self._took = 0.0
        self._slices = Slices(clock)
        self._turn = asyncio.Lock()

    async def text(
        self, demand: Demand, pod: PodView, service: InferenceService | None, why: Unplaced, note: str
    ) -> str:
        """The explanation of one claim, at most 4 KiB. `note`: what is done about it, or why nothing is; may be ""."""
        offers: tuple[Offer, ...] | None = ()
        if why.refusals and why.reason not in REASONS:
            async with self._turn:
                offers = await self._offers(_kind(demand, pod, why), lambda: self._search(demand, pod, service))
        notes = tuple(filter(None, (note, self._left_undone(demand))))
        return Explanation(demand, why, offers or (), notes, searched=bool(why.refusals) and offers is not None).text()

    def _left_undone(self, demand: Demand) -> str:
        """What policies promise to pods that wait, and the device plugin's go without; "" for others."""
        specs = [policy.spec for policy in self._cluster.policy_table.values()] if demand.resource else []
        promised = (
            *({"rollout: Handover" for spec in specs if spec.rollout is Rollout.HANDOVER}),
            *({"whenFull: ReleaseForAutoscaler" for spec in specs if spec.when_full is not WhenFull.WAIT}),
        )
        return _NOT_FOR_PLUGINS.format(" and ".join(promised)) if promised else ""

    def _search(self, demand: Demand, pod: PodView, service: InferenceService | None) -> Steps[tuple[Offer, ...]]:
        around = circumstances(self._cluster, demand, self._sizing, pod, service)
        return seeking_nearest(self._cluster.snapshot(), demand, around, self._scorer)

    async def _offers(self, kind: object, search: Callable[[], Steps[tuple[Offer, ...]]]) -> tuple[Offer, ...] | None:
        """What was found for such a demand, None when there was no time to look."""
        now = self._clock.monotonic()
        known = self._found.get(kind)
        round_of_all = self._took * len(self._found) / SHARE
        if known is not None and now - known.at <= min(KEPT_SECONDS, max(FRESH_SECONDS, round_of_all)):
            return known.offers
        self._credit = min(MOST_CREDIT, self._credit + SHARE * (now - self._counted_at))
        self._counted_at = now
        if self._credit <= 0:
            return known.offers if known is not None and now - known.at <= KEPT_SECONDS else None
        before = self._slices.busy_seconds
        offers = await self._slices.run(self._counts.timed(Timed.EXPLAIN, search(), self._clock))
        self._took = self._slices.busy_seconds - before
        self._credit -= self._took
        self._found.pop(kind, None)
        self._found[kind] = _Found(offers, self._clock.monotonic())
        if len(self._found) > MOST_KEPT:
            del self._found[next(iter(self._found))]
        return offers


def _kind(demand: Demand, pod: PodView, why: Unplaced) -> object:
    """What two demands must have in common to be helped by the same: what they ask, and why they are refused."""
    asked = tuple(sorted((key, value) for key, value in pod.annotations.items() if key.startswith("aim.amd.com/")))
    reasons = tuple((row.reason, row.count) for row in why.refusals)
    rules = demand.rules if demand.rules is not None and demand.rules.limit else None
    return replace(demand, key="", uid="", created_seconds=0.0, rules=rules), asked, reasons
