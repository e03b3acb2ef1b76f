"""Several partitions for one pod, as near to one another as they can be: one GPU, else as few GPUs as will do.

Ranks of tensor parallelism talk at every layer, so all partitions are of one node, one product and one mode: the
slowest rank and the smallest memory bound them all. Inventories do not tell which GPUs of a node xGMI links and which
only PCIe does. On the boards of eight that the partitionable products are sold on, every GPU is linked with every
other, so the GPUs of one product on a node count as equally near.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from controller.gpu.mode import Mode
from controller.placement.decision import PlacedDevice
from controller.placement.scores import Score
from controller.placement.snapshot import Gpu, Partition

Rank: TypeAlias = tuple[int, Score]
"""How many GPUs a place spreads over, then the score of its best partition; lower is better."""

Offer: TypeAlias = tuple[Score, Gpu, tuple[Partition, ...]]
"""Partitions of a GPU that would do, with the score of the first."""


@dataclass(frozen=True, slots=True)
class Together:
    """Partitions for one pod, in order of their GPUs and numbers."""

    rank: Rank
    devices: tuple[PlacedDevice, ...]


def nearest(offers: Iterable[Offer], count: int) -> Together | None:
    """`count` partitions of one product and mode on the fewest GPUs, of several such sets the best scored.

    None when no product and mode has so many.
    """
    kinds: dict[tuple[str, Mode], list[Offer]] = {}
    for offer in offers:
        kinds.setdefault((offer[1].product, offer[1].mode), []).append(offer)
    found = [_fewest_gpus(_by_gpu(kind), count) for kind in kinds.values()]
    return min((each for each in found if each is not None), key=lambda each: each.rank, default=None)


def _by_gpu(offers: Iterable[Offer]) -> list[Offer]:
    """One offer a GPU, the better scored partitions first: a GPU may have some that are kept for this very pod."""
    merged: dict[str, Offer] = {}
    for score, gpu, partitions in sorted(offers, key=lambda offer: offer[0]):
        first = merged.get(gpu.bdf)
        merged[gpu.bdf] = (score, gpu, partitions) if first is None else (first[0], gpu, first[2] + partitions)
    return list(merged.values())


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
    return Together((len(chosen), best), tuple(sorted(devices, key=lambda device: device.partition.id)))
