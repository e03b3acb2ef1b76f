"""Which services of the examples play the scene of the flooded neighbour. Pure.

Two of our InferenceServices in one share group, and so on one partition: one is promised a minimum, one has a maximum.
"""

from collections.abc import Iterable

from e2e.run.services import INFERENCE_SERVICE, kind_of
from e2e.run.traffic.judgement import Roles
from e2e.run.world import Object, key_of


def roles(objects: Iterable[Object]) -> Roles | None:
    """The first two that can play it, by name; None where no two can."""
    groups: dict[tuple[str, str], list[Object]] = {}
    for obj in objects:
        group = (obj.get("spec") or {}).get("gpuSharing", {}).get("shareGroup")
        if group and kind_of(obj) == INFERENCE_SERVICE:
            groups.setdefault((obj["metadata"]["namespace"], group), []).append(obj)
    for _, members in sorted(groups.items()):
        promised = [(key_of(one), least) for one in members if (least := _guarantee(one, "minConcurrency"))]
        limited = [(key_of(one), most) for one in members if (most := _guarantee(one, "maxConcurrency"))]
        for neighbour, minimum in sorted(promised):
            for flooded, maximum in sorted(limited):
                if flooded != neighbour:
                    return Roles(neighbour, flooded, minimum, maximum)
    return None


def _guarantee(service: Object, name: str) -> int:
    found: int = ((service["spec"].get("qos") or {}).get("guarantees") or {}).get(name, 0)
    return found
