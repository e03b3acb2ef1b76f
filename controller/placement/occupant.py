"""Claims that have a place, as those see them who ask for one: what it would cost if they left."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Occupant:
    """A claim of ours that has a place. `uid`, `pod` and `priority` are its pod's, `bytes` those of its partitions.

    `policy` rules its node, empty for none. `owned`: a controller makes its pod anew. `movable`: the pod took part of
    its own will and nobody else depends on it. `leaving`: it ends already. `refused`: a disruption budget refused its
    eviction a moment ago. `created_seconds`: of the pod, since the epoch. `gang`: the name, "" for none.
    """

    key: str
    uid: str
    pod: str
    namespace: str
    node: str
    policy: str
    priority: int
    bytes: int
    created_seconds: float
    ready: bool = True
    owned: bool = True
    movable: bool = True
    leaving: bool = False
    refused: bool = False
    gang: str = ""


Crew: TypeAlias = tuple[Occupant, ...]
"""Those who leave together: one alone, or all of a gang that have not left yet, on whatever nodes."""

Cost: TypeAlias = tuple[int, tuple[int, ...], int, int, tuple[float, ...], int, tuple[str, ...]]


def cost(victims: Collection[Occupant]) -> Cost:
    """Lower is better: how many; their priorities, the highest first; how many serve; how many nobody makes anew; their
    ages, the oldest first; their memory; their names, so that equal inputs give equal victims.
    """
    return (
        len(victims),
        tuple(sorted((each.priority for each in victims), reverse=True)),
        sum(each.ready for each in victims),
        sum(not each.owned for each in victims),
        tuple(sorted((-each.created_seconds for each in victims), reverse=True)),
        sum(each.bytes for each in victims),
        tuple(sorted(each.key for each in victims)),
    )
