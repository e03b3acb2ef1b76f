"""Claims that have a place, as preemption and quotas see them."""

from typing import Any

from controller.placement.occupant import Occupant
from tests.builders.gpu import gpu


def occupant(name: str = "b-0", node: str = "worker-0", **fields: Any) -> Occupant:
    """A ready pod of team-b with a controller, priority 0, on one CPX partition of an MI300X."""
    namespace = fields.pop("namespace", "team-b")
    values: dict[str, Any] = {
        "key": f"{namespace}/aim-{name}",
        "uid": f"uid-{name}",
        "pod": name,
        "namespace": namespace,
        "node": node,
        "policy": "shared",
        "priority": 0,
        "bytes": gpu().partitions[0].bytes,
        "created_seconds": 0.0,
    }
    return Occupant(**values | fields)
