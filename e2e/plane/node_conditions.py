"""What a Node object says about itself."""

from e2e.plane.admin import Object


def schedulable(obj: Object) -> bool:
    """Whether the scheduler would use the node for any pod: Ready, without taints, not cordoned."""
    conditions = obj["status"].get("conditions", [])
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return ready and not obj["spec"].get("taints") and not obj["spec"].get("unschedulable")
