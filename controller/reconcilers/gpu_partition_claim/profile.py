"""The AIM profile and the engine's arguments for the place that a pod is bound to."""

from api.group import QOS_CLASS, SERVICE_LABEL
from api.v1beta1 import InferenceService
from api.v1beta1.gpu_partition_claim import Allocation
from controller.gpu.mode import Mode
from controller.placement.decision import Placed
from controller.profiles.selection import Place, Selected, Service, metric_of
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.sizing.errors import SizingError
from controller.translate.pod import PodView
from controller.translate.pod_profiles import served_from
from controller.translate.request import PodRequest, parse_request
from controller.translate.served import served


def profile_for(context: ClaimContext, pod: PodView, placed: Placed) -> str | None:
    """The id of the profile for a place; None for a pod that has no profiles, and where none is for that place.

    Pods of our services have the service's profiles mounted, annotated ones those of what they asked for when made.
    """
    smallest = min(partition.bytes for partition in placed.partitions)
    return profile_at(context, pod, Place(placed.gpu.product, placed.mode, smallest, len(placed.partitions)))


def profile_at(context: ClaimContext, pod: PodView, place: Place) -> str | None:
    """The same for a kind of place."""
    request = parse_request(pod.annotations)
    if not isinstance(request, PodRequest):
        return None
    if SERVICE_LABEL not in pod.labels and served_from(request, pod.profiles) is None:
        return None
    found = selected(context, pod, place)
    return found.profile_id if found is not None else None


def selected(context: ClaimContext, pod: PodView, place: Place) -> Selected | None:
    """What the pod is to be told of a place; None when it cannot be sized any more, or not for that place."""
    request = parse_request(pod.annotations)
    if not isinstance(request, PodRequest):
        return None
    service = context.cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
    metric = metric_of(qos_class_of(pod, service))
    try:
        return context.sizing.select(_served(pod, request, service), place, metric, request.profile)
    except SizingError:
        return None


def qos_class_of(pod: PodView, service: InferenceService | None) -> str | None:
    """The class of requests that the pod serves: its service's, which may change while it runs, else what it names."""
    if service is not None:
        return service.spec.qos.class_
    return pod.annotations.get(QOS_CLASS) or None


def quantization(context: ClaimContext, pod: PodView) -> str:
    """How the engine is to quantize what it loads, where a place is too small by now or not known; "" if not at all."""
    request = parse_request(pod.annotations)
    if not isinstance(request, PodRequest):
        return ""
    service = context.cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
    if _served(pod, request, service).names_model:
        return ""
    try:
        return context.sizing.size(request.sizing, request.profile).engine.quantization
    except SizingError:
        return ""


def _served(pod: PodView, request: PodRequest, service: InferenceService | None) -> Service:
    """What the pod serves: an annotated one what it asked for when it was made, as long as it asks the same."""
    mounted = None if SERVICE_LABEL in pod.labels else served_from(request, pod.profiles)
    return mounted or served(request.sizing, service, cooperative=request.group is not None)


def place_of(context: ClaimContext, allocation: Allocation, count: int) -> Place:
    """The place of `count` partitions that an allocation names.

    Without the node's inventory its product is not known, which is no matter.
    """
    resource = allocation.resource
    if resource is not None:
        product = _product(context, allocation.node, "")
        return Place(product, Mode.parse(resource.mode), resource.bytes, count)
    device = allocation.devices[0]
    smallest = min(each.bytes for each in allocation.devices)
    return Place(_product(context, allocation.node, device.bdf), Mode.parse(device.mode), smallest, count)


def _product(context: ClaimContext, node: str, bdf: str) -> str:
    gpu_node = context.cluster.gpu_node_table.get(node)
    gpus = gpu_node.status.gpus if gpu_node is not None else []
    return next((gpu.product for gpu in gpus if bdf in ("", gpu.bdf)), "")
