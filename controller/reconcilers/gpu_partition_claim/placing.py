"""Pending: hand the demand to the cycle, act on its decision, or say why there is none."""

from dataclasses import replace

from api.condition import find_condition
from api.group import SERVICE_LABEL
from api.object import dump
from api.quantity import parse_quantity
from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.gpu_partition_claim import Nomination, NominationReason
from controller.binding.device_plugin import naming_of_resource
from controller.gpu.mode import Mode
from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand, Requirement
from controller.placement.scheduler import TOO_LARGE
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.admit import Unsized, count_of, need_of
from controller.reconcilers.gpu_partition_claim.asking_for_less import Lesser, with_remedy
from controller.reconcilers.gpu_partition_claim.claim_refusals import ClaimRefusals
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.contradiction import contradiction
from controller.reconcilers.gpu_partition_claim.doubt import settle
from controller.reconcilers.gpu_partition_claim.exclusions import PATIENCE_SECONDS, Exclusions, Whose
from controller.reconcilers.gpu_partition_claim.explaining import Explaining
from controller.reconcilers.gpu_partition_claim.fitting import outdated
from controller.reconcilers.gpu_partition_claim.outcome import Outcome
from controller.reconcilers.gpu_partition_claim.owners import reference
from controller.reconcilers.gpu_partition_claim.profile import profile_for, qos_class_of
from controller.reconcilers.gpu_partition_claim.ungated import GATE_REMOVED, gate_removed
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.client.errors import (
    AlreadyExists,
    ApiError,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from controller.runtime.objects.pod import Pod
from controller.runtime.reconcile import Result
from controller.state.kinds import REPARTITION_PLANS
from controller.translate.claim import precision_of
from controller.translate.pod import PodView, constraints
from controller.translate.pod_rules import pod_rules
from controller.translate.request import gang_request

#: How long a pin that the API server refused is not tried again, seconds.
REFUSED_PAUSE_SECONDS = 60.0
#: How long a pod that contradicts its InferenceService is left alone, seconds: either may be about to be replaced.
CONTRADICTED_SECONDS = 10.0
#: A decision older than this is looked at again before it is stored, seconds.
DECISION_SECONDS = 1.0
#: Reasons for which another mode could be the answer.
HELPED_BY_A_CHANGE = frozenset({"NoFreePartition", "NoPartitionFits"})


#: Reasons why nobody is preempted that somebody can do something about.
WORTH_TELLING = frozenset({"PreemptionNever", "EvictionRefused", "TooManyVictims"})


class Placing:
    """The step of a pending claim. `place` answers the claim as bound, or a Result while it waits."""

    def __init__(
        self, context: ClaimContext, writer: ClaimWriter, exclusions: Exclusions, refusals: ClaimRefusals
    ) -> None:
        self._context = context
        self._cluster = context.cluster
        self._cycle = context.cycle
        self._writer = writer
        self._exclusions = exclusions
        self._refusals = refusals
        scorer = context.cycle.scheduler.scorer
        self._explaining = Explaining(context.cluster, context.sizing, scorer, context.clock, context.counts)

    async def place(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim | Result:
        """One look at a pending claim."""
        obstacle = self._obstacle(pod)
        if obstacle is not None:
            self._cycle.withdraw(key)
            await self._writer.explain(claim, pod, *obstacle)
            return Result()
        if pod.deleting:
            self._cycle.withdraw(key)
            return Result()
        service = self._cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
        count = count_of(pod, service)
        need = need_of(pod, self._context.sizing, count)
        if isinstance(need, Unsized) and claim.spec.requirement.memory is None:
            # said again, should the status have been lost
            await self._writer.explain(claim, pod, need.reason, need.message)
            return Result()
        if self._cluster.assumptions.get(key) is None and outdated(claim, need, service, count):
            # The model is known by now, or known otherwise: a claim's spec never changes, so it is made anew.
            self._cycle.withdraw(key)
            await self._writer.delete(claim)
            return Result()
        contradicted = contradiction(pod, claim.spec.policy_ref, service)
        if contradicted is not None:
            self._cycle.withdraw(key)
            await self._writer.explain(claim, pod, *contradicted)
            return Result(requeue_after=CONTRADICTED_SECONDS)
        present = self._cluster.resource_claim_table.get(key)
        if present is not None and present.owner_uid != pod.uid:
            self._cycle.withdraw(key)
            await self._writer.name_taken(claim, pod)
            return Result()
        pause = REFUSED_PAUSE_SECONDS - self._since_refusal(claim)
        if pause > 0:
            return Result(requeue_after=pause)
        if present is None and not pod.resource:
            held_up = await self.held_up(key, claim, pod)
            if held_up is not None:
                return held_up
        return await self._decide(key, claim, pod)

    async def held_up(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> Result | None:
        """What to do instead of looking for a place while no ResourceClaim may be made; None where one may."""
        found = await self._refusals.look(claim)
        if found is None:
            return None
        refusal, seconds = found
        self._cycle.withdraw(key)
        await self._writer.explain(claim, pod, refusal.reason, refusal.message)
        return Result(requeue_after=seconds)

    @staticmethod
    def _obstacle(pod: PodView) -> tuple[str, str] | None:
        if pod.deleting:
            return None
        if not pod.gated:
            return GATE_REMOVED, gate_removed(pod)
        if pod.foreign_gates:
            return status.WAITING_FOR_GATE, waiting_for_gates(pod)
        return None

    def _since_refusal(self, claim: GPUPartitionClaim) -> float:
        """Seconds since the API server refused the pin: trying again at once would only be refused again."""
        condition = find_condition(claim.status.conditions, "Bound")
        if condition is None or condition.reason != "PinRefused":
            return REFUSED_PAUSE_SECONDS
        return (self._context.clock.now() - condition.last_transition_time).total_seconds()

    async def _decide(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim | Result:
        outcome = self._cycle.take(key)
        if outcome is None:
            if self._cluster.assumptions.get(key) is not None:
                # Decided, and then cut short: nobody knows whether the decision was stored.
                await settle(self._context, key, claim)
            self._submit(key, claim, pod)
            return Result()
        match outcome.decision:
            case Placed() as placed:
                if not self.stands(key, outcome, placed):
                    self._cycle.withdraw(key)
                    self._submit(key, claim, pod)
                    return Result()
                return await self._choose(key, claim, pod, outcome, placed)
            case Unplaced() as unplaced:
                await self.wait(claim, pod, outcome, unplaced)
                # Whether a node that is left out has changed is looked at without being told.
                looks = self._exclusions.excluded(_whose(pod), self._cluster.snapshot)
                return Result(requeue_after=PATIENCE_SECONDS if looks else None)

    def _submit(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> None:
        stored = self._cluster.pods.store.get(f"{pod.namespace}/{pod.name}")
        if stored is not None and self._cluster.assumptions.get(key) is None:
            self._cycle.submit(self._demand(key, claim, pod, stored))

    def stands(self, key: str, outcome: Outcome, placed: Placed) -> bool:
        """Whether a decision that had to wait (an outage) still holds: agent fresh, same mode, nobody else there."""
        if self._context.clock.monotonic() - outcome.decided_at <= DECISION_SECONDS:
            return True
        node = self._cluster.snapshot().node(placed.node.name)
        if node is None or not node.fresh:
            return False
        found = {partition.id: (gpu, partition) for gpu in node.gpus for partition in gpu.partitions}
        for number in placed.ids:
            if number not in found:
                return False
            gpu, partition = found[number]
            ours = partition.holder is None or partition.holder.name == key
            if gpu.mode != placed.mode or gpu.plan is not None or not partition.healthy or not ours:
                return False
        return True

    def _demand(self, key: str, claim: GPUPartitionClaim, pod: PodView, stored: Pod) -> Demand:
        service = self._cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
        excluded = self._exclusions.excluded(_whose(pod), self._cluster.snapshot)
        return replace(demand_of(key, claim, pod, stored, service), excluded_nodes=excluded)

    async def _choose(
        self, key: str, claim: GPUPartitionClaim, pod: PodView, outcome: Outcome, placed: Placed
    ) -> GPUPartitionClaim:
        profile = profile_for(self._context, pod, placed)
        chosen = status.bound(claim, placed, self._context.clock.now(), resource=pod.resource, profile=profile)
        return await self.store(key, claim, chosen, outcome)

    async def store(
        self, key: str, claim: GPUPartitionClaim, chosen: GPUPartitionClaim, outcome: Outcome
    ) -> GPUPartitionClaim:
        """Write the decision first: from here on it survives us.

        Until it is known whether the write happened the partition stays assumed, else another claim could get it.
        """
        try:
            written = await self._writer.write(chosen)
        except (Timeout, Unavailable, TooManyRequests):
            self._cycle.restore(key, outcome)
            self._context.count("place", "error")
            raise
        except ApiError:
            self._context.count("place", "error")
            await settle(self._context, key, claim)
            raise
        self._context.count("place", "success")
        return written

    async def wait(self, claim: GPUPartitionClaim, pod: PodView, outcome: Outcome, decision: Unplaced) -> None:
        """There is no place: make the plan that was wished for, and say why on claim and pod."""
        decision = self._remedied(claim, pod, decision)
        message = decision.message
        if outcome.plan is not None:
            await self._make_plan(pod, outcome)
        elif outcome.no_plan is not None and decision.reason in HELPED_BY_A_CHANGE:
            message += f". No mode change: {outcome.no_plan.message}"
        plan = self._cluster.plan_table.for_claim(claim.metadata.uid)
        if plan is not None:
            message += f". RepartitionPlan {plan.metadata.name} ({plan.status.phase}) makes room on {plan.spec.node}"
        self._context.count("place", "unplaced")
        kept = outcome.kept or claim.status.nomination
        if kept is not None:
            message += f". {kept_text(kept)}"
        elif outcome.no_victims is not None and outcome.no_victims.reason in WORTH_TELLING:
            message += f". Nobody leaves for it: {outcome.no_victims.message}"
        words = self._exclusions.words(_whose(pod))
        if words:
            message += f". {words}"
        note = message.removeprefix(decision.message).removeprefix(". ")
        detail = status.Detail(await self._explained(claim, pod, decision, note), kept)
        await self._store(claim, pod, Unplaced(decision.reason, message), detail)

    def _remedied(self, claim: GPUPartitionClaim, pod: PodView, decision: Unplaced) -> Unplaced:
        """What was decided; of a model that is too large for any GPU with what of it would fit."""
        stored = self._cluster.pods.store.get(f"{pod.namespace}/{pod.name}")
        if stored is None or decision.reason != TOO_LARGE:
            return decision
        service = self._cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
        demand = self._demand(f"{pod.namespace}/{claim.metadata.name}", claim, pod, stored)
        lesser = Lesser(pod, service, self._context.sizing)
        return with_remedy(decision, demand, lesser, self._cluster.snapshot())

    async def _explained(self, claim: GPUPartitionClaim, pod: PodView, decision: Unplaced, note: str) -> str | None:
        """The explanation at length; None for a pod that is gone."""
        stored = self._cluster.pods.store.get(f"{pod.namespace}/{pod.name}")
        if stored is None:
            return None
        service = self._cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
        demand = self._demand(f"{pod.namespace}/{claim.metadata.name}", claim, pod, stored)
        return await self._explaining.text(demand, pod, service, decision, note)

    async def _store(self, claim: GPUPartitionClaim, pod: PodView, why: Unplaced, detail: status.Detail) -> None:
        """Write why the claim waits, with the place that is kept from now on; it counts no longer if that fails."""
        new = detail.kept if detail.kept != claim.status.nomination else None
        try:
            await self._writer.explain(claim, pod, why.reason, why.message, detail)
        except ApiError:
            self._cluster.nominations.forget(f"{pod.namespace}/{claim.metadata.name}")
            raise
        if new is not None:
            await self._writer.tell(pod, events.nominated(new.node, len(new.victims)))

    async def _make_plan(self, pod: PodView, outcome: Outcome) -> None:
        if outcome.plan is None:
            return
        body = dump(outcome.plan)
        body.pop("status", None)
        try:
            await self._context.client.create(REPARTITION_PLANS, body)
        except AlreadyExists:
            return
        except ApiError:
            self._cluster.plan_table.forget(outcome.plan.metadata.name)
            raise
        self._context.count("repartition", "planned")
        note = events.plan_made(outcome.plan.metadata.name, outcome.plan.spec.node)
        events.tell(self._context.recorder, [pod.reference, reference(outcome.plan)], note)


def _whose(pod: PodView) -> Whose:
    return pod.owner[2] if pod.owner is not None else "", pod.template_hash


def demand_of(
    key: str, claim: GPUPartitionClaim, pod: PodView, stored: Pod, service: InferenceService | None
) -> Demand:
    """What the claim `key` of a pod asks of placement; which nodes are left out for it only the operator knows.

    Raises ValueError for a claim that could not be sized.
    """
    gang = gang_request(pod.annotations)
    return Demand(
        key=key,
        uid=claim.metadata.uid,
        namespace=pod.namespace,
        requirement=requirement_of(claim),
        pod=constraints(stored.spec),
        priority=pod.priority,
        created_seconds=pod.created_seconds,
        policy=claim.spec.policy_ref,
        qos_class=qos_class_of(pod, service),
        of_service=SERVICE_LABEL in pod.labels,
        service=f"{pod.namespace}/{pod.labels[SERVICE_LABEL]}" if SERVICE_LABEL in pod.labels else "",
        owner=pod.owner[2] if pod.owner else "",
        template_hash=pod.template_hash,
        resource=pod.resource,
        naming=naming_of_resource(pod.resource) or "",
        preempts=pod.preempts,
        gang=gang.name if gang is not None else "",
        gang_size=gang.size if gang is not None else 1,
        rules=pod_rules(stored),
    )


def requirement_of(claim: GPUPartitionClaim) -> Requirement:
    """What the claim asks of a place. Raises ValueError for a claim that could not be sized."""
    wanted = claim.spec.requirement
    if wanted.memory is None:
        raise ValueError(f"claim {claim.metadata.namespace}/{claim.metadata.name} carries no memory to place")
    modes = frozenset(map(Mode.parse, wanted.modes))
    return Requirement(parse_quantity(wanted.memory), wanted.count, modes, precision_of(claim))


def waiting_for_gates(pod: PodView) -> str:
    """The sentence for a pod that somebody else holds too."""
    return f"waits for gates of others: {', '.join(pod.foreign_gates)}"


def kept_text(kept: Nomination) -> str:
    """Which place is kept for a claim, and until when, in words."""
    where = f"{kept.node} {','.join(f'{device.bdf}/{device.partition}' for device in kept.devices)}"
    if kept.reason is NominationReason.RESERVATION:
        return f"It has waited long, so {where} is kept for it and gets free bit by bit"
    return f"{where} is kept for it until those who hold it have left"
