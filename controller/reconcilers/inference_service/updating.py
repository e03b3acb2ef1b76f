"""Updates of a service that serves: whether the next revision finds a place, and how, before a template is changed.

What is decided is written to `status.applied` first, with the places that are kept for the new pods, and acted upon
then: whoever comes after a crash goes on from there. A revision that finds no place is not applied: the old one serves
on untouched, with the condition UpdateBlocked, and the question is asked again when something that could help changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from api.condition import find_condition
from api.group import SERVICE_LABEL
from api.quantity import parse_quantity
from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.gpu_partition_claim import ClaimPhase, Isolation, Nomination
from api.v1beta1.inference_service import AppliedRevision, KeptPlace, UpdateStrategy
from controller.placement.decision import Unplaced
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.placement.update import Blocked, Possible, Update, Verdict, Way, decide_update, ways_of
from controller.reconcilers.gpu_partition_claim.nominating import Nominating
from controller.reconcilers.gpu_partition_claim.standing import Surroundings
from controller.reconcilers.inference_service.backend import Json, annotations_for
from controller.reconcilers.inference_service.remedy import Remedies
from controller.reconcilers.inference_service.revision import carries, hash_of, rolled_out
from controller.reconcilers.inference_service.status import Refusal
from controller.reconcilers.share_group.controller import of_group
from controller.reconcilers.share_group.updates import group_verdict
from controller.repartition.changed_update import leads_to_end
from controller.repartition.disruption_budget import Refused
from controller.repartition.planner import Proposal
from controller.runtime.clock import Clock
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.state.occupancy import HOLDING
from controller.state.revision_demand import Template, demand_of
from controller.translate.pod import PodView
from controller.translate.policy_choice import refuse_choice

#: Least time between two looks at one blocked update, seconds: each takes a snapshot.
PAUSE_SECONDS: Final = 1.0
#: A blocked update is looked at after this time though nothing seems to have changed, seconds.
LOOK_SECONDS: Final = 15.0

#: Of a pod whose revision was applied without a look.
_UNASKED: Final = "; with the device plugin nobody can tell before a rollout whether a new pod finds a device"


@dataclass(frozen=True, slots=True)
class Offered:
    """What the service wants its pods to be: the template as it is handed to the backend, and the pod spec in it.

    `deployment` is what runs the pods now, None where nothing does. `generation` is that of the Deployment as we wrote
    it last, 0 where KServe writes it. `gently`: nobody asked for it at this moment, so it is to go on only where the
    service serves on meanwhile, and with `smaller_than` bytes only where each new partition is smaller than that.
    """

    template: Json
    spec: Json
    deployment: Mapping[str, Any] | None
    generation: int = 0
    gently: bool = False
    smaller_than: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """How to go on: the revision that is to be applied, and why a later one, or the rest of it, has to wait.

    `held`: the wanted template is not applied. `look_after` asks for another look, seconds.
    """

    applied: AppliedRevision | None
    blocked: Refusal | None = None
    held: bool = False
    look_after: float | None = None


class Updating:
    """Decides updates. `enqueue` is called with the keys of services whose update may be possible now."""

    def __init__(self, cluster: Cluster, sizing: Models, clock: Clock, scheduler: ModelScheduler) -> None:
        self._cluster = cluster
        self._sizing = sizing
        self._clock = clock
        self._scheduler = scheduler
        self._remedies = Remedies(cluster, sizing, clock, scheduler)
        self._looked: dict[str, tuple[str, float, Step]] = {}
        self._listeners: list[Callable[[str], None]] = []

    def on_change(self, enqueue: Callable[[str], None]) -> None:
        """Have `enqueue` called with the key of each blocked service when something changed that could help it."""
        self._listeners.append(enqueue)

    def changed(self) -> None:
        """Something changed that could help a blocked update."""
        for key in tuple(self._looked):
            for enqueue in self._listeners:
                enqueue(key)

    def forget(self, key: str) -> None:
        """The service is gone, or nothing of it is blocked."""
        self._looked.pop(key, None)
        self._remedies.forget(key)

    def step(self, key: str, service: InferenceService, claims: Sequence[GPUPartitionClaim], offered: Offered) -> Step:
        """What to apply. What it promises counts at once: the caller writes it, or forgets it."""
        wanted, applied = hash_of(offered.template), service.status.applied
        fresh = AppliedRevision(hash=wanted, generation=service.metadata.generation or 0)
        holding = [claim for claim in claims if claim.status.phase in HOLDING]
        if applied is None and carries(offered.deployment, annotations_for(service), offered.spec):
            applied = fresh
        if applied is not None and applied.hash == wanted:
            return self._going_on(key, service, claims, offered, applied)
        if offered.deployment is None or not holding or not service.spec.replicas:
            self.forget(key)
            return Step(fresh)
        return self._decided(key, service, holding, offered, applied, fresh)

    def _going_on(
        self,
        key: str,
        service: InferenceService,
        claims: Sequence[GPUPartitionClaim],
        offered: Offered,
        applied: AppliedRevision,
    ) -> Step:
        """The template is the wanted one; its rollout may be under way."""
        if applied.strategy is None:
            self.forget(key)
            return Step(applied)
        waiting = [claim for claim in claims if claim.status.phase is ClaimPhase.PENDING and self._newest(claim)]
        there = carries(offered.deployment, annotations_for(service), offered.spec)
        if there and not waiting and rolled_out(offered.deployment, generation=offered.generation):
            self.forget(key)
            return Step(applied.model_copy(update={"strategy": None, "places": []}))
        told = [found for claim in waiting if (found := find_condition(claim.status.conditions, "Bound")) is not None]
        if not told:
            self.forget(key)
            return Step(applied)
        old = [claim for claim in claims if claim.status.phase in HOLDING and not self._newest(claim)]
        if applied.strategy is UpdateStrategy.SURGE and old:
            again = self._decided(key, service, old, offered, applied, applied)
            if not again.held:
                return again
        unasked = _UNASKED if any(map(self._asks_the_kubelet, waiting)) else ""
        reason = Refusal(told[0].reason, f"the new pod waits: {told[0].message}{unasked}")
        return Step(applied, reason, look_after=LOOK_SECONDS)

    def _asks_the_kubelet(self, claim: GPUPartitionClaim) -> bool:
        pod = self._cluster.pod_table.of_claim(claim)
        return pod is not None and bool(pod.resource)

    def _newest(self, claim: GPUPartitionClaim) -> bool:
        pod = self._cluster.pod_table.of_claim(claim)
        return pod is None or pod.owner is None or self._cluster.revisions.newest(pod.owner[2])

    def _decided(
        self,
        key: str,
        service: InferenceService,
        holding: Sequence[GPUPartitionClaim],
        offered: Offered,
        applied: AppliedRevision | None,
        fresh: AppliedRevision,
    ) -> Step:
        now, known = self._clock.monotonic(), self._looked.get(key)
        if known is not None and known[0] == fresh.hash and now - known[1] < PAUSE_SECONDS:
            return replace(known[2], look_after=PAUSE_SECONDS)
        verdict = self._verdict(key, service, holding, offered)
        if verdict is None:
            return Step(applied, held=True, look_after=PAUSE_SECONDS)
        refused = _ungentle(verdict, offered, len(holding)) if isinstance(verdict, Possible) else None
        if isinstance(verdict, Possible) and refused is None and _shrinks_enough(verdict, offered):
            self.forget(key)
            strategy, places = UpdateStrategy(verdict.way.value), _kept(verdict)
            self._cluster.update_places.assume(key, tuple(places))
            return Step(fresh.model_copy(update={"strategy": strategy, "places": places}))
        if isinstance(verdict, Blocked):
            refused = Refusal(verdict.unplaced.reason, f"{_serving(applied)} serves on; {verdict.message}")
        # nobody misses anything where no smaller partitions are free
        blocked = None if offered.smaller_than else refused
        step = Step(applied, blocked, held=True, look_after=LOOK_SECONDS)
        self._looked[key] = fresh.hash, now, step
        return step

    def _verdict(
        self, key: str, service: InferenceService, holding: Sequence[GPUPartitionClaim], offered: Offered
    ) -> Verdict | None:
        """The decision on a snapshot of this moment; None while not every agent was heard of."""
        pods = min(service.spec.replicas, len(holding))
        if any(_by_plugin(claim) for claim in holding):
            # the kubelet chooses: what a pod will get is not ours to foresee, and its own device is free by then
            return Possible(Way.ONE_BY_ONE, ())
        demand = demand_of(template_of(key, service, offered.spec), self._sizing)
        if isinstance(demand, Unplaced):
            return Blocked(demand, 0, pods)
        labels = self._cluster.namespace_labels.get(demand.namespace) or {}
        refused = refuse_choice(demand, labels, tuple(self._cluster.policy_table.values()))
        if refused is not None:
            return Blocked(refused, 0, pods)
        snapshot = self._cluster.snapshot()
        if self._cluster.heartbeats.unsettled(node.name for node in snapshot.nodes):
            return None
        schedule = partial(self._scheduler.schedule, snapshot)
        shared = group_verdict(self._cluster, snapshot, schedule, (demand, pods), service)
        if shared is not None:
            return shared
        # the partition of a share group is not given up with one member
        own = (claim for claim in holding if not of_group(claim.metadata.name))
        names = tuple(sorted(f"{claim.metadata.namespace}/{claim.metadata.name}" for claim in own))
        update = Update(demand, names, pods)
        verdict = decide_update(self._scheduler, snapshot, update)
        if not isinstance(verdict, Blocked):
            return verdict
        old = self._cluster.pod_table.of_claim(holding[0])
        otherwise = self._with_a_change(snapshot, update)
        if otherwise is None and old is not None and not offered.gently:
            otherwise = self._with_others_gone(snapshot, update, old)
        if otherwise is not None:
            return otherwise
        return replace(verdict, remedy=self._remedies.text(service, snapshot, demand, names, old))

    def _with_a_change(self, snapshot: Snapshot, update: Update) -> Possible | None:
        """The way in which changes of modes make room, if they may be made; a new pod asks for one as any does.

        Beside the old pods a change may wait for a person. What needs an old pod's GPU must come by itself, for every
        new pod: the old one is gone by then.
        """

        def propose(there: Snapshot) -> Proposal | Refused:
            return Surroundings(self._cluster, there).propose(update.demand, self._clock.now())

        if not isinstance(propose(snapshot), Refused):
            return Possible(Way.SURGE, ())
        ways = ways_of(update)
        for way in (Way.ONE_BY_ONE, Way.RECREATE):
            if leads_to_end(self._scheduler, snapshot, update, ways[way], propose):
                return Possible(way, ())
        return None

    def _with_others_gone(self, snapshot: Snapshot, update: Update, old: PodView) -> Possible | None:
        """Beside the old pods, where those of lower priority leave for a new one: it asks for that as any pod does."""
        asking = replace(update.demand, priority=old.priority, preempts=old.preempts)
        nominating = Nominating(self._cluster, self._scheduler, snapshot, now=self._clock.now())
        return Possible(Way.SURGE, ()) if isinstance(nominating.preempt(asking), Nomination) else None


def template_of(key: str, service: InferenceService, spec: Json) -> Template:
    """What a pod of the service would be."""
    partition, isolation = service.spec.gpu_sharing.partition, service.spec.gpu_sharing.isolation
    # of a share group's partition the least is the whole group's, and no share's
    least = partition.min_memory if isolation is Isolation.HARDWARE else None
    return Template(
        key,
        annotations_for(service),
        spec,
        count=partition.count,
        least_bytes=parse_quantity(least) if least else 0,
        of_service=True,
        qos_class=service.spec.qos.class_,
        labels={SERVICE_LABEL: service.metadata.name},
    )


def _kept(verdict: Possible) -> list[KeptPlace]:
    return [
        KeptPlace(node=placed.node.name, bdf=device.partition.id.bdf, partition=device.partition.id.index)
        for placed in verdict.places
        for device in placed.devices
    ]


def _ungentle(verdict: Possible, offered: Offered, serving: int) -> Refusal | None:
    """Why the change is not made, where it would leave the service without a pod and nobody asked for that."""
    interrupts = verdict.way is Way.RECREATE or (verdict.way is Way.ONE_BY_ONE and serving == 1)
    if not (offered.gently and interrupts):
        return None
    told = "the new pods fit only once the old ones have gone, and nobody would be served meanwhile"
    return Refusal(
        "WouldInterrupt", f"{told}: free a partition beside them, or raise minMemory to have it done all the same"
    )


def _shrinks_enough(verdict: Possible, offered: Offered) -> bool:
    """Whether each new partition is smaller than asked for; where a mode has to change first nobody knows."""
    if not offered.smaller_than:
        return True
    sizes = [device.partition.bytes for placed in verdict.places for device in placed.devices]
    return bool(sizes) and max(sizes) < offered.smaller_than


def _by_plugin(claim: GPUPartitionClaim) -> bool:
    return claim.status.allocation is not None and claim.status.allocation.resource is not None


def _serving(applied: AppliedRevision | None) -> str:
    return "the revision before" if applied is None else f"generation {applied.generation}"
