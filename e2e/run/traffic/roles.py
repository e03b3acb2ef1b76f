"""Which services of the examples play the scene of the flooded neighbour. Pure.

Two of our InferenceServices in one share group, and so on one partition, whose policy bounds what is in flight there:
one is promised a minimum; the other has a better class, and a maximum that leaves no room for that minimum. So nothing
but the minimum gets the one its seats while the other is flooded.
"""

from collections.abc import Iterable, Sequence

from api.v1beta1.gpu_sharing_policy import default_qos_classes
from e2e.run.services import INFERENCE_SERVICE, kind_of
from e2e.run.traffic.judgement import Roles
from e2e.run.world import Object, key_of

_DEFAULT_CLASS = "standard"


def roles(objects: Iterable[Object]) -> Roles | None:
    """The first two that can play it, by name; None where no two can."""
    objects = list(objects)
    policies = [obj["spec"] for obj in objects if obj["kind"] == "GPUSharingPolicy"]
    seats = min((spec["sharedConcurrency"] for spec in policies if "sharedConcurrency" in spec), default=None)
    if seats is None:
        return None
    ranks = _ranks(policies)
    groups: dict[tuple[str, str], list[Object]] = {}
    for obj in objects:
        group = (obj.get("spec") or {}).get("gpuSharing", {}).get("shareGroup")
        if group and kind_of(obj) == INFERENCE_SERVICE:
            groups.setdefault((obj["metadata"]["namespace"], group), []).append(obj)
    for _, members in sorted(groups.items()):
        for neighbour in sorted(members, key=key_of):
            for flooded in sorted(members, key=key_of):
                if _better(flooded, neighbour, ranks) and (found := _competing(neighbour, flooded, seats)):
                    return found
    return None


def _competing(neighbour: Object, flooded: Object, seats: int) -> Roles | None:
    """Their roles, where there are seats that the one is promised and the other may have."""
    minimum, maximum = _guarantee(neighbour, "minConcurrency"), _guarantee(flooded, "maxConcurrency")
    if 0 < minimum < seats < minimum + maximum:
        return Roles(key_of(neighbour), key_of(flooded), minimum, maximum, seats)
    return None


def _better(one: Object, other: Object, ranks: dict[str, int]) -> bool:
    mine, others = (
        ranks.get((service["spec"].get("qos") or {}).get("class", _DEFAULT_CLASS)) for service in (one, other)
    )
    return mine is not None and others is not None and mine < others


def _ranks(policies: Sequence[Object]) -> dict[str, int]:
    """The ranks of classes by name, those that policies name and those that are there without."""
    found = {one.name: one.rank for one in default_qos_classes()}
    return found | {one["name"]: one["rank"] for spec in policies for one in spec.get("qosClasses", ())}


def _guarantee(service: Object, name: str) -> int:
    found: int = ((service["spec"].get("qos") or {}).get("guarantees") or {}).get(name, 0)
    return found
