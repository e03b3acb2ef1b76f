"""The claim reconciler: gathers what is known of one claim and takes the next step."""

from random import Random

from api.group import SERVICE_LABEL
from api.object import dump
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.reconcilers.gpu_partition_claim import events
from controller.reconcilers.gpu_partition_claim.admit import Unsized, claim_for, count_of, need_of
from controller.reconcilers.gpu_partition_claim.adopting import adopt, adoptable
from controller.reconcilers.gpu_partition_claim.autoscaler import Autoscaling
from controller.reconcilers.gpu_partition_claim.binding import SOON_SECONDS, Binding
from controller.reconcilers.gpu_partition_claim.claim_refusals import LONGEST_SECONDS, ClaimRefusals, refusal_of
from controller.reconcilers.gpu_partition_claim.confirming import Confirming
from controller.reconcilers.gpu_partition_claim.conflicts import Conflicts
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.exclusions import Exclusions
from controller.reconcilers.gpu_partition_claim.fitting import Fitting
from controller.reconcilers.gpu_partition_claim.placing import Placing
from controller.reconcilers.gpu_partition_claim.preempting import Preempting
from controller.reconcilers.gpu_partition_claim.profile_wait import refused
from controller.reconcilers.gpu_partition_claim.releasing import Releasing
from controller.reconcilers.gpu_partition_claim.ungated import Ungated
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.reconcilers.share_group.controller import ShareGroups, of_group
from controller.runtime.client.errors import AlreadyExists, Conflict, Forbidden
from controller.runtime.manifest import key_of
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.translate.pod import PodView


class ClaimReconciler:
    """Takes one claim one step further at each call. A request names the claim, which may not exist yet."""

    def __init__(self, context: ClaimContext, rng: Random | None = None) -> None:
        self._context = context
        self._cluster = context.cluster
        exclusions = Exclusions(context.clock, context.cluster.pod_table.on_node)
        self._writer = ClaimWriter(context)
        jitter = rng or Random()  # noqa: S311 - spreads retries, guards nothing
        refusals = ClaimRefusals(context, jitter)
        self._placing = Placing(context, self._writer, exclusions, refusals)
        self._preempting = Preempting(context, self._writer)
        self._binding = Binding(context, self._writer, refusals)
        self._confirming = Confirming(context, self._writer, exclusions)
        self._fitting = Fitting(context, self._writer)
        self._releasing = Releasing(context, self._writer)
        self._ungated = Ungated(context, self._writer)
        self._groups = ShareGroups(context, self._writer, self._placing, refusals)
        self._autoscaling = Autoscaling(context, self._writer, refusals)
        self._conflicts = Conflicts(jitter)

    async def reconcile(self, request: Request) -> Result:
        """One step. A claim that moved on under it is decided anew: soon three times, then ever later."""
        try:
            result = await self._step(request)
        except Conflict:
            self._context.count("reconcile", "conflict")
            return Result(requeue_after=self._conflicts.again_after(request.key))
        self._conflicts.over(request.key)
        return result

    async def _step(self, request: Request) -> Result:
        key = request.key
        claim = self._cluster.claim_table.get(key)
        if claim is None:
            self._writer.forget(key)
            return await self._groups.step(key, None) if of_group(request.name) else await self._admit(request)
        if self._writer.superseded(key, claim):
            return Result()
        if claim.spec.share_group is not None:
            return await self._groups.step(key, claim)
        pod = self._cluster.pod_table.of_claim(claim)
        self._tell_others(key, claim)
        if pod is None:
            return await self._releasing.pod_gone(key, claim)
        if pod.terminal:
            return await self._releasing.pod_ended(key, claim)
        return await self._serve(key, claim, pod)

    async def _serve(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> Result:
        """The step of a claim whose pod lives."""
        looked = await self._ungated.look(key, claim, pod)
        if isinstance(looked, Result):
            return looked
        claim = looked
        let_go = await self._autoscaling.look(key, claim, pod)
        if let_go is not None:
            return let_go
        if claim.status.phase is ClaimPhase.PENDING or claim.status.allocation is None:
            present = self._cluster.resource_claim_table.get(key)
            if adoptable(present, pod):
                return await adopt(self._context, self._writer, claim, pod, present)
            unmounted = refused(self._context, pod)
            if unmounted is not None:
                self._context.cycle.withdraw(key)
                await self._writer.explain(claim, pod, unmounted.reason, unmounted.message)
                return Result()
            placed = await self._placing.place(key, claim, pod)
            if isinstance(placed, Result):
                awaited = await self._preempting.look(key, claim, pod, placed)
                return self._autoscaling.again(awaited)
            claim = placed
        if claim.status.phase is ClaimPhase.BOUND:
            result = await self._binding.bind(claim, pod)
            if result is not None:
                return result
        claim = await self._fitting.look(claim, pod)
        confirmed = await self._confirming.confirm(key, claim, pod)
        if isinstance(confirmed, Result):
            return confirmed
        return await self._binding.bind(confirmed, pod) or Result(requeue_after=SOON_SECONDS)

    def _tell_others(self, key: str, claim: GPUPartitionClaim) -> None:
        """Another gated pod that names this claim waits until the claim is gone, and should know it."""
        owner = claim.spec.pod_ref
        for pod in self._pods_naming(key):
            if owner is not None and pod.gated and pod.uid != owner.uid:
                message = f"claim {claim.metadata.name} belongs to pod {owner.name}; let the webhook name the claim"
                events.tell(self._context.recorder, [pod.reference], events.waiting("ClaimNameTaken", message))

    async def _admit(self, request: Request) -> Result:
        """A gated pod without a claim gets one; so does a running one whose claim was deleted."""
        self._context.cycle.withdraw(request.key)
        present = self._cluster.resource_claim_table.get(request.key)
        pods = self._pods_naming(request.key)
        held = next((pod for pod in pods if adoptable(present, pod)), None)
        pod = held or next((pod for pod in pods if pod.gated), None)
        if pod is None:
            return Result()
        service = self._cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
        need = need_of(pod, self._context.sizing, count_of(pod, service))
        body = dump(claim_for(pod, request.name, need, service))
        body.pop("status", None)
        try:
            created = await self._context.client.create(GPU_PARTITION_CLAIMS, body)
        except AlreadyExists:
            return Result()
        except Forbidden as error:  # there is no claim that could say so
            refusal = refusal_of(error, "the GPUPartitionClaim", pod.namespace)
            events.tell(self._context.recorder, [pod.reference], events.waiting(refusal.reason, refusal.message))
            self._context.count("admit", "refused")
            return Result(requeue_after=LONGEST_SECONDS)
        fresh = GPUPartitionClaim.model_validate(created)
        if held is not None:
            return await adopt(self._context, self._writer, fresh, held, present)
        self._context.count("admit", "unsized" if isinstance(need, Unsized) else "success")
        return await self._serve(request.key, fresh, pod)

    def _pods_naming(self, key: str) -> list[PodView]:
        """Live pods that name the claim, the oldest first: it is the first gated one's."""
        found = []
        for pod in self._cluster.pods.store.by_index("claim", key):
            view = self._cluster.pod_table.view(key_of(pod))
            if view is not None and not view.terminal and not view.deleting:
                found.append(view)
        return sorted(found, key=lambda view: (view.created_seconds, view.name))
