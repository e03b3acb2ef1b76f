"""A gated pod gets its GPUPartitionClaim: what it needs, worked out once from its annotations."""

import dataclasses
from dataclasses import dataclass

from api.group import SERVICE_LABEL
from api.object import ObjectMeta, OwnerReference
from api.quantity import format_bytes, parse_quantity
from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.gpu_partition_claim import ClaimModel, GPUPartitionClaimSpec, Requirement
from api.v1beta1.precision import ResolvedPrecision
from api.v1beta1.references import PodReference
from controller.binding.device_plugin import mode_of
from controller.sizing.errors import SizingError
from controller.sizing.requirement import Sizing
from controller.state.kserve import POD_LABEL as KSERVE_LABEL
from controller.state.models import Models
from controller.translate.pod import PodView
from controller.translate.request import PodRequest, parse_request, partitions_said
from controller.translate.sizing_fields import ANNOTATION_OF, FIELD_OF, sizing_problem

_LONGEST_LABEL = 63


@dataclass(frozen=True, slots=True)
class Unsized:
    """Why a pod's need is not known: a CamelCase reason, and a sentence with field, value and remedy."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Need:
    """A pod's request with its sizing."""

    request: PodRequest
    sizing: Sizing


def count_of(pod: PodView, service: InferenceService | None) -> int:
    """How many partitions the pod is to get, a rank on each.

    What it says itself counts, which is what its revision of a service was made of; only of a pod that does not say is
    it what the service says now. A pod of the device plugin asked for a number when it was made, for good.
    """
    if pod.resource:
        return pod.devices[pod.resource]
    said = partitions_said(pod.annotations)
    if said is not None:
        return said.count
    return service.spec.gpu_sharing.partition.count if service is not None else 1


def need_of(pod: PodView, sizing: Models, count: int = 1) -> Need | Unsized:
    """What the pod needs of each of its `count` partitions, or why that cannot be said."""
    request = parse_request(pod.annotations)
    if isinstance(request, tuple):
        return Unsized("InvalidRequest", "; ".join(map(str, request)))
    try:
        return Need(request, sizing.size(dataclasses.replace(request.sizing, tensor_parallel=count), request.profile))
    except SizingError as error:
        named = FIELD_OF if SERVICE_LABEL in pod.labels else ANNOTATION_OF
        return Unsized(type(error).__name__, str(sizing_problem(error, named)))


def required_bytes(need: Need, service: InferenceService | None) -> int:
    """Memory that each of the pod's partitions must have: what sizing says, or more where pod or service want more."""
    said = need.request.partitions
    if said is not None:
        return max(need.sizing.total_bytes, said.least_bytes)
    least = service.spec.gpu_sharing.partition.min_memory if service is not None else None
    return max(need.sizing.total_bytes, parse_quantity(least) if least else 0)


def claim_for(pod: PodView, name: str, need: Need | Unsized, service: InferenceService | None) -> GPUPartitionClaim:
    """The claim of a pod, owned by it. Without a sizing it carries no memory, and nothing is placed for it.

    A pod that asks the device plugin for a resource named for a mode can be given that mode alone. The claim is
    labelled with the pod's service, ours or KServe's, else with its Deployment or whatever made it: the node's agent
    tells by it whose the partition is, and who is charged.
    """
    memory: str | None = None
    model: ClaimModel | None = None
    precision: ResolvedPrecision | None = None
    modes: list[str] = []
    policy = None
    if isinstance(need, Need):
        memory = format_bytes(required_bytes(need, service))
        named = mode_of(pod.resource)
        modes = [str(named)] if named is not None else sorted(map(str, need.request.modes))
        policy = need.request.policy
        precision = ResolvedPrecision(need.sizing.precision.value)
        model = ClaimModel(
            id=need.sizing.model_id,
            precision=need.sizing.precision.value,
            max_model_len=need.sizing.max_model_len,
            max_concurrency=need.sizing.max_concurrency,
            profile_ref=need.request.profile,
        )
    of_service = pod.labels.get(SERVICE_LABEL) or pod.labels.get(KSERVE_LABEL) or pod.workload
    return GPUPartitionClaim(
        metadata=ObjectMeta(
            name=name,
            namespace=pod.namespace,
            labels={SERVICE_LABEL: of_service} if 0 < len(of_service) <= _LONGEST_LABEL else {},
            owner_references=[
                OwnerReference(api_version="v1", kind="Pod", name=pod.name, uid=pod.uid, controller=True)
            ],
        ),
        spec=GPUPartitionClaimSpec(
            pod_ref=PodReference(name=pod.name, uid=pod.uid),
            requirement=Requirement(memory=memory, count=count_of(pod, service), modes=modes, precision=precision),
            model=model,
            policy_ref=policy,
        ),
    )
