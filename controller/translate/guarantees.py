"""Whether what a service is guaranteed can be had at all: KV cache is reserved for so many sequences a pod."""

from api.v1beta1 import InferenceService
from controller.translate.request import Problem

OUT_OF_REACH = "GuaranteeOutOfReach"


def out_of_reach(service: InferenceService, concurrency: int) -> Problem | None:
    """The problem of more guaranteed requests than the pods' engines serve; `concurrency` is one pod's, as sized.

    A service without pods is guaranteed nothing, and told nothing.
    """
    guarantees = service.spec.qos.guarantees
    least = guarantees.min_concurrency if guarantees is not None else None
    served = concurrency * service.spec.replicas
    if least is None or not served or least <= served:
        return None
    each = f"{concurrency} at each of {service.spec.replicas} pods" if service.spec.replicas > 1 else "at its pod"
    return Problem(
        "spec.qos.guarantees.minConcurrency",
        str(least),
        f"is more than the {served} requests that memory is reserved for, {each}; lower it, or raise"
        " spec.model.maxConcurrency or spec.replicas",
    )
