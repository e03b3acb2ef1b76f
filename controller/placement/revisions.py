"""Which of one Deployment's waiting pods goes first: that of the newest revision.

While a rollout waits for a partition, pods of the old revision may wait, too: a pod that failed is made anew by the old
ReplicaSet. What becomes free is for the revision that stays.
"""

from collections import defaultdict
from collections.abc import Sequence

from controller.placement.demand import Demand


def newest_first(demands: Sequence[Demand]) -> list[Demand]:
    """`demands`, those of one Deployment and priority among themselves by revision, the newest first.

    They trade places with each other only: against all others the Deployment gains and loses nothing.
    """
    turns: dict[tuple[str, int], list[int]] = defaultdict(list)
    for turn, demand in enumerate(demands):
        if demand.family:
            turns[demand.family, demand.priority].append(turn)
    arranged = list(demands)
    for mine in turns.values():
        # sorted() is stable: pods of one revision stay in their order
        by_revision = sorted((demands[turn] for turn in mine), key=lambda demand: -demand.revision)
        for turn, demand in zip(mine, by_revision, strict=True):
            arranged[turn] = demand
    return arranged
