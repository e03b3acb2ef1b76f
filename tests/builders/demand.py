"""Demands: what one claim asks of placement."""

from collections.abc import Sequence
from typing import Any

from controller.gpu.mode import Mode
from controller.placement.demand import Demand, PodConstraints, Requirement, Resources
from controller.sizing.precision import Precision
from tests.builders.gpu import GIB


def demand(
    name: str = "aim-a",
    gib: float = 16,
    *,
    modes: Sequence[str] = (),
    count: int = 1,
    precision: str | None = None,
    **fields: Any,
) -> Demand:
    """A demand of team-a for `gib` GiB on one partition; a key with a slash in `name` is taken as it is."""
    key = name if "/" in name else f"team-a/{name}"
    values: dict[str, Any] = {"uid": f"uid-{key}", "namespace": key.partition("/")[0]} | fields
    served = None if precision is None else Precision(precision)
    requirement = Requirement(int(gib * GIB), count, frozenset(map(Mode.parse, modes)), served)
    return Demand(key=key, requirement=requirement, **values)


def constrained(resources: Resources | None = None, **fields: Any) -> PodConstraints:
    """What the demand's pod asks of its node; one pod slot unless said otherwise."""
    return PodConstraints(resources=resources or Resources(pods=1), **fields)
