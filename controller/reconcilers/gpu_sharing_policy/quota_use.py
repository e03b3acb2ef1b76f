"""What namespaces with a quota have on a policy's nodes, and how much of that is borrowed. No I/O."""

from collections import defaultdict
from collections.abc import Iterable

from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_sharing_policy import QuotaUse
from controller.placement.occupant import Occupant
from controller.placement.quota import borrowed_bytes
from controller.translate.policy import quotas


def quota_use(policy: GPUSharingPolicy, occupants: Iterable[Occupant]) -> list[QuotaUse]:
    """A row a quota, by namespace. `occupants`: all claims that have a place, on whatever node."""
    by_namespace: dict[str, list[Occupant]] = defaultdict(list)
    for each in occupants:
        if each.policy == policy.metadata.name:
            by_namespace[each.namespace].append(each)
    return [
        QuotaUse(
            namespace=namespace,
            used_bytes=sum(each.bytes for each in by_namespace[namespace]),
            borrowed_bytes=borrowed_bytes(quota.least, by_namespace[namespace]),
        )
        for namespace, quota in sorted(quotas(policy).items())
    ]
