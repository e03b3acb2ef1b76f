"""A share group is founded: its claim is made for the members that came together, and gets a partition."""

from api.group import FINALIZER, GROUP_CLAIM_PREFIX
from api.object import ObjectMeta, dump
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import GPUPartitionClaimSpec
from controller.binding.shares import take
from controller.placement.decision import Placed, Unplaced
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.claim_refusals import LONGEST_SECONDS, refusal_of
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.cycle import Outcome
from controller.reconcilers.gpu_partition_claim.doubt import settle
from controller.reconcilers.gpu_partition_claim.placing import Placing
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.reconcilers.share_group.demands import founders, founding_demand, requirement, whole_of
from controller.reconcilers.share_group.ending import Ending
from controller.reconcilers.share_group.members import Group, Member
from controller.reconcilers.share_group.shared_status import as_shared
from controller.runtime.client.errors import AlreadyExists, Forbidden
from controller.runtime.reconcile import Result
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.translate.share_group import member_share

#: A group waits for further members until none came for so long, seconds: those of one apply are to found it together.
GATHER_SECONDS = 1.0
#: And never longer than this after the first one was seen, seconds.
LONGEST_GATHERING_SECONDS = 10.0
#: After a write that others saw first, seconds.
SOON_SECONDS = 0.2


class Founding:
    """The steps of a group without a partition."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter, placing: Placing, ending: Ending) -> None:
        self._context = context
        self._writer = writer
        self._placing = placing
        self._ending = ending
        self._gathering: dict[str, tuple[float, float, frozenset[str]]] = {}

    async def begin(self, key: str, group: Group) -> GPUPartitionClaim | Result:
        """Make the group's claim once its members came together; what was assumed for an earlier one is over."""
        self._context.cycle.withdraw(key)
        members = founders(group.waiting)
        if not members:
            self._gathering.pop(key, None)
            return Result()
        rest = self._still_gathering(key, group)
        if rest > 0:
            return Result(requeue_after=rest)
        namespace, _, name = key.partition("/")
        claim = GPUPartitionClaim(
            metadata=ObjectMeta(name=name, namespace=namespace, finalizers=[FINALIZER]),
            spec=GPUPartitionClaimSpec(
                share_group=members[0].request.group,
                requirement=requirement(members),
                policy_ref=members[0].request.policy,
            ),
        )
        body = dump(claim)
        body.pop("status", None)
        try:
            created = await self._context.client.create(GPU_PARTITION_CLAIMS, body)
        except AlreadyExists:
            return Result()  # its event is under way
        except Forbidden as error:  # there is no claim that could say so
            refusal = refusal_of(error, "the GPUPartitionClaim", namespace)
            note = events.waiting(refusal.reason, refusal.message)
            events.tell(self._context.recorder, [member.pod.reference for member in members], note)
            self._context.count("admit", "refused")
            return Result(requeue_after=LONGEST_SECONDS)
        self._gathering.pop(key, None)
        self._context.count("admit", "success")
        return GPUPartitionClaim.model_validate(created)

    def _still_gathering(self, key: str, group: Group) -> float:
        now = self._context.clock.monotonic()
        uids = frozenset(member.pod.uid for member in group.waiting)
        first, latest, known = self._gathering.get(key, (now, now, uids))
        latest = latest if uids <= known else now
        self._gathering[key] = first, latest, known | uids
        return min(latest + GATHER_SECONDS, first + LONGEST_GATHERING_SECONDS) - now

    async def place(self, key: str, claim: GPUPartitionClaim, group: Group) -> GPUPartitionClaim | Result:
        """One look at a group that waits for its partition: the claim as bound, or a Result while it waits."""
        members = founders(group.waiting)
        assumed = self._context.cluster.assumptions.get(key)
        if assumed is None and claim.spec.requirement != requirement(members):
            # a claim's spec never changes, and others found the group by now: it is made anew for them
            await self._ending.end(key, claim)
            return Result(requeue_after=SOON_SECONDS)
        if self._context.cluster.resource_claim_table.get(key) is None:
            held_up = await self._placing.held_up(key, claim, members[0].pod)
            if held_up is not None:
                return held_up
        outcome = self._context.cycle.take(key)
        if outcome is None:
            if assumed is not None:
                await settle(self._context, key, claim)
            self._submit(key, claim, members)
            return Result()
        match outcome.decision:
            case Placed() as placed if self._placing.stands(key, outcome, placed):
                return await self._choose(key, claim, members, outcome, placed)
            case Placed():
                self._context.cycle.withdraw(key)
                self._submit(key, claim, members)
                return Result()
            case Unplaced() as unplaced:
                await self._placing.wait(claim, members[0].pod, outcome, unplaced)
                for member in members[1:]:
                    note = events.waiting(unplaced.reason, unplaced.message)
                    events.tell(self._context.recorder, [member.pod.reference], note)
                return Result()

    def _submit(self, key: str, claim: GPUPartitionClaim, members: tuple[Member, ...]) -> None:
        if self._context.cluster.assumptions.get(key) is None:
            name = claim.spec.share_group or key.rpartition(GROUP_CLAIM_PREFIX)[2]
            self._context.cycle.submit(founding_demand(key, claim, name, members))

    async def _choose(
        self, key: str, claim: GPUPartitionClaim, members: tuple[Member, ...], outcome: Outcome, placed: Placed
    ) -> GPUPartitionClaim:
        """Write the place with the first member's share: the others join it, each as its node then is."""
        first = members[0]
        share = take(whole_of(placed.partition), (), first.pod.uid, first.bytes)
        if share is None:
            raise RuntimeError(f"{placed.partition.id} was chosen for {key}, and does not hold its first member")
        bound = as_shared(
            self._context.isolator,
            status.bound(claim, placed, self._context.clock.now()),
            [member_share(first.pod, share.bytes, share.units)],
            placed.partition.compute_units,
        )
        return await self._placing.store(key, claim, bound, outcome)
