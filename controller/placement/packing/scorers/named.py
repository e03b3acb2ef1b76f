"""The scorers by the names that policies and commands spell."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from controller.placement.packing.host import share_left
from controller.placement.packing.scorers.best_fit import BestFit
from controller.placement.packing.scorers.expected_loss import ExpectedLoss
from controller.placement.packing.scorers.fragmentation import Fragmentation
from controller.placement.packing.scorers.indifferent import Indifferent
from controller.placement.packing.scorers.scorer import Scorer
from controller.placement.packing.workload import Workload

#: GPU that there is by model, in thousandths.
Capacity = Mapping[str, int]

#: What is left of a piece, by what is asked for and its size.
Left = Callable[[int, int], int]

SCORERS: Final[Mapping[str, Callable[[Workload, Capacity, Left], Scorer]]] = MappingProxyType(
    {
        "default": ExpectedLoss.of,
        "fgd": lambda workload, _, __: Fragmentation.of(workload),
        "bestfit": lambda _, __, ___: BestFit(),
        "random": lambda _, __, ___: Indifferent(),
    }
)


def scorer_named(name: str, workload: Workload, capacity: Capacity, left: Left = share_left) -> Scorer:
    """The scorer of that name for what is expected, what there is and how it is cut. Raises KeyError for others."""
    return SCORERS[name](workload, capacity, left)


def partition_scorer_named(name: str, workload: Workload) -> Scorer:
    """The same for a cluster, whose pieces are partitions of GPUs of any size. Raises KeyError for others.

    What is left of an idle one is reckoned as if it could be divided, for a mode change may do that. How full a node is
    costs nothing: in thousandths of a GPU it would make every place on larger GPUs dearer. It decides between equals.
    """
    if name == "default":
        return ExpectedLoss.of(workload, {}, fullness=0)
    return scorer_named(name, workload, {})
