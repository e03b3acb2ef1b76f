"""Which change can help a claim that waits, by the reasons against each place: who cannot be helped is not asked again.

A claim waits for every reason that a partition somewhere was refused for, so one that some change removes is enough. A
reason that is not in the table can be helped by anything. All are asked again every ten seconds besides, for what
passes with time alone.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final


class Change(StrEnum):
    """What may have made a place."""

    POD_LEFT = "a pod left its node or ended"
    FREED = "a claim or somebody else gave up a partition, or a place that was kept"
    NODE = "a Node is another one"
    INVENTORY = "a GPUNode is another one"
    POLICY = "a policy is another one"
    PLAN = "a plan has another phase"
    NAMESPACE = "a namespace has other labels"
    AGENT = "an agent is heard of again"
    REVISION = "a Deployment has another newest revision"
    TIME = "some seconds passed"


_NODE: Final = frozenset({Change.NODE})
_POLICY: Final = frozenset({Change.POLICY, Change.NODE})
_ADMITTED: Final = frozenset({Change.POLICY, Change.NODE, Change.NAMESPACE})
_HARDWARE: Final = frozenset({Change.INVENTORY, Change.NODE})
_FREED: Final = frozenset({Change.FREED, Change.POD_LEFT})
_SUMMARY: Final[frozenset[Change]] = frozenset()
"""Of a reason that sums up others: these are what counts."""

HELPED_BY: Final[Mapping[str, frozenset[Change]]] = {
    "NoFreePartition": _SUMMARY,
    "NoPartitionFits": _SUMMARY,
    "CountUnsupported": _SUMMARY,
    "NoManagedNodes": _HARDWARE,
    "ModeUnavailable": _HARDWARE,
    "TooLargeForAnyGPU": _HARDWARE,
    "PrecisionUnsupported": _HARDWARE,
    "StaleInventory": frozenset({Change.AGENT}),
    "PolicyMismatch": _ADMITTED,
    "PolicyNotFound": frozenset({Change.POLICY}),
    "PolicyNotForNamespace": _ADMITTED,
    "QoSClassNotFound": _ADMITTED,
    "Paused": _POLICY | {Change.INVENTORY},
    "BindingMismatch": _POLICY,
    "ForeignDevicePluginPods": frozenset({Change.POD_LEFT}),
    "Repartitioning": frozenset({Change.PLAN, Change.INVENTORY}),
    "NodeNotReady": _NODE,
    "NodeCordoned": _NODE,
    "NodeWithoutHostname": _NODE,
    "TaintNotTolerated": _NODE,
    "NodeSelectorMismatch": _NODE,
    "NodeAffinityMismatch": _NODE,
    "NodeResourcesShort": _NODE | _FREED,
    "HostPortTaken": _NODE | _FREED,
    "PodAntiAffinity": _NODE | _FREED,
    "NotAdvertised": _NODE,
    "ModeMismatch": _HARDWARE,
    "ResourceMismatch": _HARDWARE,
    "ModeNotAllowed": _POLICY | {Change.INVENTORY},
    "PartitionTooSmall": _HARDWARE,
    "PartitionUnhealthy": _HARDWARE,
    "Quarantined": _HARDWARE,
    "PartitionHeld": _FREED | _HARDWARE,
    "TooFewTogether": _FREED | _HARDWARE,
    "RepartitionDisabled": _POLICY,
    "ReadOnlyBackend": _HARDWARE,
    "NobodyToPreempt": _POLICY,
}
"""By reason. New partitions come as inventories, new nodes as Nodes."""


def helped(reasons: Collection[str], changes: Collection[Change]) -> bool:
    """Whether one of the changes may have removed one of the reasons."""
    if Change.TIME in changes:
        return True
    wanted = (HELPED_BY.get(reason) for reason in reasons if reason)
    return any(helping is None or not helping.isdisjoint(changes) for helping in wanted)
