"""The scorers by the names that policies and commands spell."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from controller.placement.packing.scorers.best_fit import BestFit
from controller.placement.packing.scorers.expected_loss import ExpectedLoss
from controller.placement.packing.scorers.fragmentation import Fragmentation
from controller.placement.packing.scorers.indifferent import Indifferent
from controller.placement.packing.scorers.scorer import Scorer
from controller.placement.packing.workload import Workload

#: GPU that there is by model, in thousandths.
Capacity = Mapping[str, int]

SCORERS: Final[Mapping[str, Callable[[Workload, Capacity], Scorer]]] = MappingProxyType(
    {
        "default": ExpectedLoss.of,
        "fgd": lambda workload, _: Fragmentation.of(workload),
        "bestfit": lambda _, __: BestFit(),
        "random": lambda _, __: Indifferent(),
    }
)


def scorer_named(name: str, workload: Workload, capacity: Capacity) -> Scorer:
    """The scorer of that name for what is expected and what there is. Raises KeyError for an unknown name."""
    return SCORERS[name](workload, capacity)
