"""Which disruption budget forbids an eviction: minAvailable and maxUnavailable as counts, over labels."""

from collections.abc import Sequence

from controller.runtime.manifest import Manifest


def forbidding(pod: Manifest, budgets: Sequence[Manifest], pods: Sequence[Manifest]) -> str | None:
    """The name of the first budget that `pod` may not leave now; None when it may go."""
    for budget in budgets:
        labels = budget["spec"]["selector"]["matchLabels"]
        if not _has(pod, labels):
            continue
        members = [each for each in pods if _has(each, labels)]
        healthy = sum(_ready(each) for each in members)
        spec = budget["spec"]
        needed = spec["minAvailable"] if "minAvailable" in spec else len(members) - spec["maxUnavailable"]
        if _ready(pod) and healthy - 1 < needed:
            name: str = budget["metadata"]["name"]
            return name
    return None


def _has(pod: Manifest, labels: dict[str, str]) -> bool:
    own = pod["metadata"].get("labels") or {}
    return labels.items() <= own.items()


def _ready(pod: Manifest) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
