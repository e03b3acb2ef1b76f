"""The reconciler of defragmentation: a slow look at one policy's nodes, a chance that lasts, one plan at a time.

A look is taken in slices of the event loop, on a snapshot of its beginning; a chance on nodes that changed meanwhile is
left for the next one. What was seen is in memory alone: after a restart a chance has to last anew, which is late and
never wrong. What it rests on, the plans that ended, is in the API.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from api.duration import parse_duration
from api.object import dump
from api.v1beta1 import GPUSharingPolicy, RepartitionPlan
from controller.reconcilers.defragmentation.looking import field_of
from controller.reconcilers.defragmentation.proposing import is_own, plan_of
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.repartition.defragmentation import Chance, Field, seeking_chances
from controller.repartition.hysteresis import Sightings
from controller.repartition.phases import NOT_BEGUN, TERMINAL, Phase
from controller.runtime.client.client import Client
from controller.runtime.client.errors import AlreadyExists, ApiError
from controller.runtime.clock import Clock
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.runtime.slices import Slices
from controller.state.cluster import Cluster
from controller.state.kinds import REPARTITION_PLANS

#: Between two looks at one policy's nodes, seconds, give or take a tenth so that policies do not come together.
LOOK_SECONDS: Final = 60.0
#: Not every agent was heard of yet: seconds until the next look.
UNSETTLED_SECONDS: Final = 5.0
#: A plan keeps its gain for so many looks that do not find it, however short a gain has to last: it may be hidden by
#: what passes, such as a pod that is just starting.
_MISSED_LOOKS: Final = 2


@dataclass(slots=True)
class _Memory:
    """What was seen under one policy: since when each chance is there, when the last plan was proposed, or ended.

    `gains`: when the gain of a plan that waits, by uid, was last there. `asking`: one was unfinished at the last look.
    """

    sightings: Sightings = field(default_factory=Sightings)
    last_plan: float | None = None
    asking: bool = False
    gains: dict[str, float] = field(default_factory=dict)


class DefragmentationReconciler:
    """Looks at one policy; a request names it. To be run by one worker: the plan of one look counts at the next."""

    def __init__(
        self,
        client: Client,
        cluster: Cluster,
        cycle: PlacementCycle,
        recorder: EventRecorder,
        clock: Clock,
        *,
        rng: Random | None = None,
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._cycle = cycle
        self._recorder = recorder
        self._clock = clock
        self._rng = rng or Random()  # noqa: S311 - spreads load, guards nothing
        self._memory: dict[str, _Memory] = {}
        self._slices = Slices(clock)

    async def reconcile(self, request: Request) -> Result:
        """One look, and the plan for the best chance that has lasted."""
        policy = self._cluster.policy_table.get(request.name)
        if policy is None or not _wanted(policy) or policy.spec.paused:
            self._memory.pop(request.name, None)
            return Result()
        if self._cluster.heartbeats.unsettled(self._cluster.gpu_node_table.keys()):
            return Result(requeue_after=UNSETTLED_SECONDS)
        asked = field_of(self._cluster, self._cycle, policy)
        found, now = await self._slices.run(seeking_chances(asked)), self._clock.monotonic()
        if self._cluster.policy_table.get(request.name) != policy:
            return Result(requeue_after=UNSETTLED_SECONDS)
        memory = self._memory.setdefault(request.name, _Memory())
        memory.sightings = memory.sightings.looked((chance.identity for chance in found), now)
        unfinished = [plan for plan in self._own(policy) if Phase(plan.status.phase) not in TERMINAL]
        for plan in unfinished:
            _watch_gain(memory, plan, found, now)
        if memory.asking and not unfinished:
            memory.last_plan = now
        memory.asking = bool(unfinished)
        if not unfinished and self._rest_left(policy, memory, now) <= 0:
            await self._propose(policy, memory, tuple(self._unchanged(asked, found)), now)
        return Result(requeue_after=self._pause(policy, memory, found, now))

    def lost(self, plan: RepartitionPlan) -> str | None:
        """Why nothing is gained any more by a plan that was proposed here, as a sentence; None for any other plan."""
        if plan.spec.gain is None or plan.spec.policy_ref is None or not plan.metadata.uid:
            return None
        policy = self._cluster.policy_table.get(plan.spec.policy_ref)
        if policy is None or not _wanted(policy):
            return f"policy {plan.spec.policy_ref} has no models brought together any more; nothing was changed"
        memory = self._memory.get(policy.metadata.name)
        seen = memory.gains.get(plan.metadata.uid) if memory is not None else None
        if seen is None or self._clock.monotonic() - seen <= _patience(policy):
            return None
        return "moving its pods would regain nothing any more; nothing was changed"

    def _unchanged(self, asked: Field, found: tuple[Chance, ...]) -> Iterator[Chance]:
        """The chances on nodes that are as they were when the look began."""
        changed = set(asked.snapshot.base.differing(self._cluster.snapshot().base))
        return (each for each in found if changed.isdisjoint([each.node, *(move.node for move in each.moves)]))

    def _own(self, policy: GPUSharingPolicy) -> Iterator[RepartitionPlan]:
        return (plan for plan in self._cluster.plan_table.values() if is_own(plan, policy.metadata.name))

    def _rest_left(self, policy: GPUSharingPolicy, memory: _Memory, now: float) -> float:
        """Seconds until the next plan may be proposed: some time after the last one was proposed, or ended."""
        ages = [] if memory.last_plan is None else [now - memory.last_plan]
        for plan in self._own(policy):
            times = [plan.metadata.creation_timestamp, *(step.end_time for step in plan.status.steps)]
            ages += [(self._clock.now() - when).total_seconds() for when in times if when is not None]
        return parse_duration(policy.spec.defragmentation.rest) - min(ages) if ages else 0.0

    async def _propose(self, policy: GPUSharingPolicy, memory: _Memory, found: tuple[Chance, ...], now: float) -> None:
        lasts, plans = parse_duration(policy.spec.defragmentation.after), self._cluster.plan_table
        busy = {plan.spec.node for plan in plans.values() if Phase(plan.status.phase) not in TERMINAL}
        lasted = (each for each in found if memory.sightings.lasted(each.identity, now) >= lasts)
        chance = next((each for each in lasted if each.node not in busy), None)
        if chance is None:
            return
        plan = plan_of(chance, policy, self._own(policy))
        plans.assume(plan)
        try:
            await self._client.create(REPARTITION_PLANS, dump(plan))
        except AlreadyExists:
            return  # the informer is about to show it
        except ApiError:
            plans.forget(plan.metadata.name)
            raise
        memory.last_plan, memory.asking = now, True
        self._tell(policy, plan)

    def _tell(self, policy: GPUSharingPolicy, plan: RepartitionPlan) -> None:
        identity = {"name": policy.metadata.name, "uid": policy.metadata.uid}
        reference = {"apiVersion": policy.api_version, "kind": policy.kind, "metadata": identity}
        note = f"plan {plan.metadata.name} {plan.spec.reason}; it waits for approval"
        self._recorder.record(reference, "Normal", "DefragmentationProposed", note, "Propose")

    def _pause(self, policy: GPUSharingPolicy, memory: _Memory, found: tuple[Chance, ...], now: float) -> float:
        """Until the next look: sooner where a chance is about to have lasted."""
        lasts = parse_duration(policy.spec.defragmentation.after)
        left = [lasts - memory.sightings.lasted(each.identity, now) for each in found]
        soonest = min((seconds for seconds in left if seconds > 0), default=LOOK_SECONDS)
        return min(LOOK_SECONDS, max(1.0, soonest)) * (0.9 + self._rng.random() / 5)


def _watch_gain(memory: _Memory, plan: RepartitionPlan, found: tuple[Chance, ...], now: float) -> None:
    """Remember when the plan's gain was last there, as long as nobody has said go."""
    uid = plan.metadata.uid or ""
    if Phase(plan.status.phase) not in NOT_BEGUN or plan.spec.approved:
        memory.gains.pop(uid, None)
        return
    offered = plan.spec.node, tuple((gpu.bdf, gpu.mode) for gpu in plan.spec.to.gpus)
    there = any((each.node, tuple((bdf, str(mode)) for bdf, mode in each.after)) == offered for each in found)
    if there or uid not in memory.gains:
        memory.gains[uid] = now


def _wanted(policy: GPUSharingPolicy) -> bool:
    return policy.spec.defragmentation.enabled and policy.spec.repartition.enabled


def _patience(policy: GPUSharingPolicy) -> float:
    """How long a gain may be away before its plan is given up, seconds: as long as it had to last."""
    return max(parse_duration(policy.spec.defragmentation.after), _MISSED_LOOKS * LOOK_SECONDS)
