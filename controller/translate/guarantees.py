"""Whether what a service is guaranteed can be had at all: KV cache is reserved for so many sequences a pod.

And, where pods of several services share a partition, how many requests its policy lets be in flight there.
"""

from collections.abc import Iterable, Mapping

from api.v1beta1 import GPUSharingPolicy, InferenceService
from controller.translate.policy import age
from controller.translate.request import Problem

OUT_OF_REACH = "GuaranteeOutOfReach"
#: Also of a pod that joins no share group, since its service's minimum has no room there.
CAPACITY = "GuaranteeCapacity"

_MINIMUM = "spec.qos.guarantees.minConcurrency"


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
        _MINIMUM,
        str(least),
        f"is more than the {served} requests that memory is reserved for, {each}; lower it, or raise"
        " spec.model.maxConcurrency or spec.replicas",
    )


def promised(service: InferenceService | None) -> int:
    """Requests that can always be in flight, all pods of the service together; 0 where none is promised."""
    guarantees = service.spec.qos.guarantees if service is not None else None
    return (guarantees.min_concurrency or 0) if guarantees is not None else 0


def ruling(
    named: str | None, labels: Mapping[str, str], policies: Iterable[GPUSharingPolicy]
) -> GPUSharingPolicy | None:
    """The policy by which the gateway serves: the one that is named, else the oldest that is for the namespace."""
    ours = [policy for policy in policies if policy.spec.namespace_selector.matches(labels)]
    return min(ours, key=lambda one: (one.metadata.name != named, age(one)), default=None)


def shared_bound(named: str | None, labels: Mapping[str, str], policies: Iterable[GPUSharingPolicy]) -> int | None:
    """Requests in flight at once at most on a partition that pods share; None: no policy bounds them."""
    policy = ruling(named, labels, policies)
    return policy.spec.shared_concurrency if policy is not None else None


def beyond_bound(service: InferenceService, group: str, together: int, policy: GPUSharingPolicy) -> Problem | None:
    """The problem of a minimum on a partition where more is promised than may be in flight, by whomever.

    `together`: requests that are promised to all services of the share group at once. While all of them are busy the
    gateway lowers every minimum there in proportion.
    """
    least, bound = promised(service), policy.spec.shared_concurrency
    if not least or bound is None or together <= bound:
        return None
    return Problem(
        _MINIMUM,
        str(least),
        f"is had in part only while all are busy: the services of share group {group} are promised {together} requests "
        f"in flight on one partition, and spec.sharedConcurrency of policy {policy.metadata.name} is {bound}; "
        "lower it, name another spec.gpuSharing.shareGroup, or ask for more spec.sharedConcurrency",
    )
