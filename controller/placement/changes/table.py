"""Which changes can mend which reason of a refusal: a row a reason. A new kind of change is a generator and its rows.

A node's first failing check must be mended by the change, so no other row need be looked at for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from controller.placement.changes import node_state, pod_spec
from controller.placement.changes.change import RANKS, Kind
from controller.placement.changes.evictions import evict
from controller.placement.changes.look import Generator
from controller.placement.changes.modes import change_mode
from controller.placement.changes.quotas import raise_max


@dataclass(frozen=True, slots=True)
class Mend:
    """A generator, and the cheapest kind of change that it gives."""

    generate: Generator
    least: Kind

    @property
    def rank(self) -> int:
        """No change of it costs less."""
        return RANKS[self.least]


_WAIT = Mend(node_state.wait_for_plan, Kind.WAIT_FOR_PLAN)
_MODE = Mend(change_mode, Kind.MODE_CHANGE)
_EVICT = Mend(evict, Kind.EVICTION)
_QUOTA = Mend(raise_max, Kind.QUOTA)
_LOOSEN = Mend(pod_spec.loosen, Kind.POD_RULES)
_RELEASE = Mend(node_state.release, Kind.QUARANTINE)


def _repair(what: str) -> Mend:
    return Mend(node_state.repair(what), Kind.NODE_REPAIR)


MENDS: Final[Mapping[str, tuple[Mend, ...]]] = MappingProxyType(
    {
        "StaleInventory": (_repair("agent"),),
        "PolicyMismatch": (
            Mend(pod_spec.any_policy, Kind.POLICY_REF),
            Mend(node_state.admit_namespace, Kind.POLICY),
        ),
        "Paused": (Mend(node_state.unpause, Kind.UNPAUSE),),
        "ForeignDevicePluginPods": (_repair("plugin pods"),),
        "Repartitioning": (_WAIT, _MODE, _EVICT),
        "NodeNotReady": (_repair("kubelet"),),
        "NodeCordoned": (Mend(node_state.uncordon, Kind.UNCORDON),),
        "NodeWithoutHostname": (_repair("hostname"),),
        "TaintNotTolerated": (_WAIT, Mend(pod_spec.tolerate, Kind.TOLERATION), _repair("taint")),
        "NodeSelectorMismatch": (Mend(pod_spec.other_selector, Kind.NODE_SELECTOR),),
        "NodeAffinityMismatch": (Mend(pod_spec.other_affinity, Kind.NODE_AFFINITY),),
        "HostPortTaken": (_EVICT, _LOOSEN),
        "PodAntiAffinity": (_EVICT, _LOOSEN),
        "PodAffinity": (_LOOSEN,),
        "TopologySpread": (_LOOSEN,),
        "NodeResourcesShort": (_EVICT, Mend(node_state.more_resources, Kind.NODE_RESOURCES)),
        "ModeMismatch": (_WAIT, Mend(pod_spec.any_mode, Kind.PARTITION_MODE), _MODE, _EVICT),
        "ResourceMismatch": (_WAIT, _MODE),
        "ModeNotAllowed": (_WAIT, Mend(node_state.allow_mode, Kind.POLICY), _MODE),
        "PartitionTooSmall": (_WAIT, _MODE),
        "Quarantined": (_WAIT, _RELEASE, _MODE),
        "QuotaExceeded": (_WAIT, _MODE, _EVICT, _QUOTA),
        "PartitionHeld": (_WAIT, _EVICT, _MODE),
        "NotAdvertised": (_WAIT, _MODE),
        "Reserved": (_WAIT, _MODE, _EVICT),
        "TooFewTogether": (_EVICT, _MODE, _RELEASE, _WAIT),
    }
)
"""Reasons that nothing of one step mends, such as a broken partition, have no row. What asks for less of the model is
looked for over all nodes, whatever their reasons."""
