"""Several partitions for one pod, as near to one another as they can be: one GPU, then GPUs that xGMI links.

Ranks of tensor parallelism talk at every layer, so all partitions are of one node, one product and one mode: the
slowest rank and the smallest memory bound them all. Partitions of one GPU are nearest. GPUs of one hive are linked by
xGMI, each with every other; between those of two hives, or where nobody told of links, there is PCIe. Within a tier as
few GPUs as will do are taken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from controller.gpu.mode import Mode
from controller.placement.decision import PlacedDevice
from controller.placement.scores import Score
from controller.placement.snapshot import Gpu, Partition


class Tier(IntEnum):
    """What lies between the partitions of one pod, the nearest first."""

    ONE_GPU = 0
    XGMI = 1
    PCIE = 2
    """Or it is not known what else."""

    @property
    def word(self) -> str:
        """For programs."""
        return ("gpu", "xgmi", "pcie")[self]


Rank: TypeAlias = tuple[int, int, Score]
"""The tier of a place, how many GPUs it spreads over, the score of its best partition; lower is better."""

Offer: TypeAlias = tuple[Score, Gpu, tuple[Partition, ...]]
"""Partitions of a GPU that would do, with the score of the first."""


@dataclass(frozen=True, slots=True)
class Together:
    """Partitions for one pod, in order of their GPUs and numbers."""

    rank: Rank
    devices: tuple[PlacedDevice, ...]


def alone(score: Score) -> Rank:
    """The rank of a place of one partition."""
    return Tier.ONE_GPU, 1, score


def tier_of(gpus: Iterable[Gpu]) -> Tier:
    """What lies between these GPUs."""
    hives = {gpu.bdf: gpu.hive for gpu in gpus}
    if len(hives) < 2:
        return Tier.ONE_GPU
    return Tier.XGMI if len(set(hives.values())) == 1 and None not in hives.values() else Tier.PCIE


def tier_text(gpus: Sequence[Gpu]) -> str:
    """The same in words; "" for one partition. One GPU for each partition is given."""
    if len(gpus) == 1:
        return ""
    count = len({gpu.bdf for gpu in gpus})
    match tier_of(gpus):
        case Tier.ONE_GPU:
            return "on one GPU"
        case Tier.XGMI:
            return f"on {count} GPUs that xGMI links"
        case Tier.PCIE:
            unknown = any(gpu.hive is None for gpu in gpus)
            return f"on {count} GPUs that {'are not known to be linked by xGMI' if unknown else 'only PCIe links'}"


def nearest(offers: Iterable[Offer], count: int) -> Together | None:
    """`count` partitions of one product and mode, in the nearest tier and on the fewest GPUs, then the best scored.

    None when no product and mode has so many.
    """
    kinds: dict[tuple[str, Mode], list[Offer]] = {}
    for offer in offers:
        kinds.setdefault((offer[1].product, offer[1].mode), []).append(offer)
    sets = (group for kind in kinds.values() for group in _linked_sets(_by_gpu(kind)))
    found = [_fewest_gpus(group, count) for group in sets]
    return min((each for each in found if each is not None), key=lambda each: each.rank, default=None)


def _by_gpu(offers: Iterable[Offer]) -> list[Offer]:
    """One offer a GPU, the better scored partitions first: a GPU may have some that are kept for this very pod."""
    merged: dict[str, Offer] = {}
    for score, gpu, partitions in sorted(offers, key=lambda offer: offer[0]):
        first = merged.get(gpu.bdf)
        merged[gpu.bdf] = (score, gpu, partitions) if first is None else (first[0], gpu, first[2] + partitions)
    return list(merged.values())


def _linked_sets(offers: list[Offer]) -> Iterable[list[Offer]]:
    """All of them, and those of each hive where there are others besides."""
    hives: dict[int, list[Offer]] = {}
    for offer in offers:
        if offer[1].hive is not None:
            hives.setdefault(offer[1].hive, []).append(offer)
    return [offers, *(hive for hive in hives.values() if len(hive) < len(offers))]


def _fewest_gpus(offers: Sequence[Offer], count: int) -> Together | None:
    """The GPUs with most to give first; the last one is the best scored of those that have the rest."""
    left = sorted(offers, key=lambda offer: (-len(offer[2]), offer[0]))
    chosen: list[tuple[Offer, int]] = []
    missing = count
    while missing > 0:
        enough = [offer for offer in left if len(offer[2]) >= missing]
        if not left:
            return None
        taken = min(enough, key=lambda offer: offer[0]) if enough else left[0]
        left.remove(taken)
        chosen.append((taken, min(missing, len(taken[2]))))
        missing -= len(taken[2])
    devices = [PlacedDevice(gpu, one) for (_, gpu, partitions), used in chosen for one in partitions[:used]]
    best = min(offer[0] for offer, _ in chosen)
    tier = tier_of(gpu for (_, gpu, _), _ in chosen)
    return Together((tier, len(chosen), best), tuple(sorted(devices, key=lambda device: device.partition.id)))
