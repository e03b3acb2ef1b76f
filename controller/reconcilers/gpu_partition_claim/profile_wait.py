"""No gate opens before the ConfigMap that the pod mounts has the profile that the pod is told to start with.

The ConfigMap is written while the pod waits for its place; what is left to wait for then is mostly nothing. A GPU of a
product that has just come may be given away before its profiles are written: there the pod waits the moment longer.
"""

from dataclasses import dataclass
from typing import Final

from api.group import SERVICE_LABEL
from controller.reconcilers.gpu_partition_claim.context import ClaimContext, Surroundings
from controller.reconcilers.profile_map.files import file_of
from controller.state.profile_maps import Refused
from controller.translate.pod import PodView
from controller.translate.pod_profiles import is_pods_map
from controller.translate.served import profiles_name

#: So long a bound pod waits for its ConfigMap, seconds, before it gives its place back and says why.
PATIENCE_SECONDS: Final = 10.0
#: A ConfigMap that is not there yet is looked for again after this many seconds, should no event tell of it.
LOOK_SECONDS: Final = 2.0
NOT_WRITTEN: Final = "ProfilesNotWritten"


def awaited_map(pod: PodView) -> str | None:
    """The store key of the ConfigMap of ours that the pod mounts; None for one without, or with somebody else's."""
    if pod.profiles is None:
        return None
    service = pod.labels.get(SERVICE_LABEL)
    ours = pod.profiles == profiles_name(service) if service else is_pods_map(pod.profiles)
    return f"{pod.namespace}/{pod.profiles}" if ours else None


def refused(context: Surroundings, pod: PodView) -> Refused | None:
    """Why the pod's ConfigMap is not there and cannot be written: no place is looked for meanwhile."""
    key = awaited_map(pod)
    if key is None or not pod.gated or pod.foreign_gates or pod.deleting:
        return None
    service = pod.labels.get(SERVICE_LABEL)
    if service and context.cluster.service_table.get(f"{pod.namespace}/{service}") is None:
        message = f"ConfigMap {key}, which the pod mounts, is that of InferenceService {service}, which is not there; "
        return Refused(NOT_WRITTEN, f"{message}create it, or take label {SERVICE_LABEL} off and make the pod anew")
    maps = context.cluster.written_maps
    return None if maps.standing(key) is not None else maps.refusal(key)


@dataclass(frozen=True, slots=True)
class Missing:
    """What the pod would start without, and why; `soon`: whether it is worth a moment's wait."""

    reason: str
    message: str
    soon: bool


def missing(context: ClaimContext, pod: PodView, profile: str | None) -> Missing | None:
    """What the pod would start without; None when nothing is missing."""
    key, maps = awaited_map(pod), context.cluster.written_maps
    file = file_of(profile) if profile else None
    if key is None or maps.has(key, file):
        return None
    refusal = maps.refusal(key)
    if refusal is not None:
        # of one that was there before a pod gets another place now and then, and must not do so at once, over and over
        return Missing(refusal.reason, refusal.message, soon=maps.standing(key) is not None)
    what = f"has no {file} yet" if file else "is not there yet"
    message = f"ConfigMap {key}, which the pod mounts, {what}; the operator writes it"
    return Missing(NOT_WRITTEN, message, soon=True)
