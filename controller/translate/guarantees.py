"""Whether what a service is guaranteed can be had at all: KV cache is reserved for so many sequences a pod.

And, where pods of several services share a partition, how many requests its policy lets be in flight there.
"""

from collections.abc import Iterable, Mapping

from api.v1beta1 import GPUSharingPolicy, InferenceService
from controller.translate.policy import age
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


def promised(service: InferenceService | None) -> int:
    """Requests that can always be in flight, all pods of the service together; 0 where none is promised."""
    guarantees = service.spec.qos.guarantees if service is not None else None
    return (guarantees.min_concurrency or 0) if guarantees is not None else 0


def shared_bound(named: str | None, labels: Mapping[str, str], policies: Iterable[GPUSharingPolicy]) -> int | None:
    """Requests in flight at once at most on a partition that pods share; None: no policy bounds them.

    By the policy that is named, else the oldest that is for the namespace: as the gateway has it.
    """
    ours = [policy for policy in policies if policy.spec.namespace_selector.matches(labels)]
    ruling = min(ours, key=lambda one: (one.metadata.name != named, age(one)), default=None)
    return ruling.spec.shared_concurrency if ruling is not None else None
