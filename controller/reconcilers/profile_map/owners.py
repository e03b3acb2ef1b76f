"""Who owns a ConfigMap that pods share: whoever made them, or pods that nobody made. Pure."""

from collections.abc import Iterable
from typing import Any

from controller.runtime.objects.metadata import OwnerReference
from controller.runtime.objects.pod import Pod
from controller.runtime.owner_references import controller_of

#: Owners written into one ConfigMap, so that a thousand bare pods do not fill it. When some of them are gone, others
#: take their places.
MOST_OWNERS = 16


def owner_of(pod: Pod) -> OwnerReference:
    """The pod's controller, the pod itself without one."""
    metadata = pod.metadata
    made_by = controller_of(pod)
    return made_by or OwnerReference(api_version="v1", kind="Pod", name=metadata.name, uid=metadata.uid)


def owners(pods: Iterable[Pod], before: Iterable[str]) -> list[dict[str, Any]]:
    """References to the owners of `pods`, those with uids of `before` first: what is written changes little."""
    found = {owner.uid: owner for owner in map(owner_of, pods)}
    known = dict.fromkeys(before)
    ordered = [*(uid for uid in known if uid in found), *(uid for uid in sorted(found) if uid not in known)]
    return [_reference(found[uid]) for uid in ordered[:MOST_OWNERS]]


def _reference(owner: OwnerReference) -> dict[str, Any]:
    """Without the two words that say more: none of them controls it, or waits for it as it is deleted."""
    return {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
