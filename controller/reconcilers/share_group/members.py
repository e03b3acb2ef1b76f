"""Who belongs to a share group: members with a share, members that could have one, and pods that cannot, and why."""

from dataclasses import dataclass

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.share import MemberShare
from controller.placement.demand import GroupMember, PodConstraints
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, need_of, required_bytes
from controller.reconcilers.gpu_partition_claim.context import Surroundings
from controller.reconcilers.gpu_partition_claim.contradiction import contradiction
from controller.reconcilers.gpu_partition_claim.placing import waiting_for_gates
from controller.reconcilers.gpu_partition_claim.profile_wait import refused
from controller.reconcilers.gpu_partition_claim.status import WAITING_FOR_GATE
from controller.reconcilers.gpu_partition_claim.ungated import GATE_REMOVED, gate_removed
from controller.runtime.manifest import key_of
from controller.translate.guarantees import promised
from controller.translate.pod import PodView, constraints
from controller.translate.request import PodRequest
from controller.translate.share_group import member_request, share_of


@dataclass(frozen=True, slots=True)
class Member:
    """A pod that waits for its share. `least_bytes`: what its service wants the partition to have at least.

    `guaranteed`: requests in flight that its service is promised, all its pods together.
    """

    pod: PodView
    request: PodRequest
    need: Need
    least_bytes: int
    constraints: PodConstraints
    guaranteed: int

    @property
    def bytes(self) -> int:
        """Memory of the share that it needs."""
        return self.need.sizing.total_bytes

    @property
    def in_demand(self) -> GroupMember:
        """The member as placement sees it."""
        return GroupMember(self.bytes, self.need.sizing.precision, self.constraints, self.guaranteed)


@dataclass(frozen=True, slots=True)
class Held:
    """A share with its pod; `pod` None when that is not to be seen (any more), or another one has its name."""

    share: MemberShare
    pod: PodView | None


@dataclass(frozen=True, slots=True)
class Hindered:
    """A pod that cannot become a member as it is: a CamelCase reason, and a sentence."""

    pod: PodView
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Group:
    """The pods that name one group's claim. `waiting` are in the order in which they get their shares."""

    held: tuple[Held, ...]
    waiting: tuple[Member, ...]
    hindered: tuple[Hindered, ...]


def gather(context: Surroundings, key: str, claim: GPUPartitionClaim | None) -> Group:
    """The group as it is seen now."""
    waiting: list[Member] = []
    hindered: list[Hindered] = []
    for stored in context.cluster.pods.store.by_index("claim", key):
        pod = context.cluster.pod_table.view(key_of(stored))
        if pod is None or pod.terminal or pod.deleting or (claim is not None and share_of(claim, pod.uid)):
            continue
        found = _judged(context, pod, constraints(stored.spec))
        if isinstance(found, Member):
            waiting.append(found)
        else:
            hindered.append(found)
    waiting.sort(key=lambda member: (-member.pod.priority, member.pod.created_seconds, member.pod.name))
    held = tuple(Held(share, _pod_of(context, claim, share)) for share in claim.status.shares) if claim else ()
    return Group(held, tuple(waiting), tuple(sorted(hindered, key=lambda found: found.pod.name)))


def _pod_of(context: Surroundings, claim: GPUPartitionClaim, share: MemberShare) -> PodView | None:
    pod = context.cluster.pod_table.view(f"{claim.metadata.namespace}/{share.pod.name}")
    return pod if pod is not None and pod.uid == share.pod.uid else None


def _judged(context: Surroundings, pod: PodView, asked: PodConstraints) -> Member | Hindered:
    request = member_request(pod)
    if request is None:
        message = f"claim {pod.claim} is a share group's, of which pod {pod.name} is no member; delete the pod"
        return Hindered(pod, "ClaimNameTaken", message)
    if not pod.gated:
        return Hindered(pod, GATE_REMOVED, gate_removed(pod))
    if pod.foreign_gates:
        return Hindered(pod, WAITING_FOR_GATE, waiting_for_gates(pod))
    need = need_of(pod, context.sizing)
    if isinstance(need, Unsized):
        return Hindered(pod, need.reason, need.message)
    service = context.cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
    contradicted = contradiction(pod, request.policy, service)
    if contradicted is not None:
        return Hindered(pod, *contradicted)
    unmounted = refused(context, pod)
    if unmounted is not None:
        return Hindered(pod, unmounted.reason, unmounted.message)
    return Member(pod, request, need, required_bytes(need, service), asked, promised(service))
