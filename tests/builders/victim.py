"""Pods that are in the way of a mode change."""

from typing import Any

from controller.gpu.identity import PartitionId
from controller.repartition.victims import Victim
from tests.builders.demand import constrained
from tests.builders.gpu import GIB, bdf


def victim(name: str = "b-0", number: int = 0, index: int = 0, gib: float = 16, **fields: Any) -> Victim:
    """A ready pod of team-b with a controller, on partition `index` of GPU `number`, that needs `gib` GiB."""
    values: dict[str, Any] = {
        "namespace": "team-b",
        "pod": name,
        "uid": f"uid-{name}",
        "claim": f"aim-{name}",
        "owner": "uid-replicas",
        "template_hash": "abc",
        "priority": 0,
        "partition": PartitionId(bdf(number), index),
        "requirement_bytes": int(gib * GIB),
        "constraints": constrained(),
        "ready": True,
    }
    return Victim(**values | fields)
