"""How many decisions a second: claims of several sizes, placed one after the other until a share of the cluster is full."""

import time
from random import Random

from controller.placement.decision import Placed
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.node import node

GPUS = 8
_MODES = ("CPX/NPS4", "CPX/NPS4", "QPX/NPS4", "DPX/NPS2")
_SIZES = (12, 16, 20, 22, 30, 40, 45, 70, 90)
"""GiB that claims ask for: nine shapes that fit the modes' 24, 48 and 96 GiB."""


def decisions_per_second(nodes: int, seed: int, share: float = 0.5) -> float:
    """Decisions a second until `share` of as many claims as there are CPX partitions of one a node were asked for.

    Every decision counts, also one that finds no place; the first of each shape looks at all nodes.
    """
    chance = Random(seed)
    snapshot = Snapshot(
        node(f"worker-{number:05}", *(gpu(each, chance.choice(_MODES)) for each in range(GPUS)))
        for number in range(nodes)
    )
    asked = [demand(f"aim-{number}", chance.choice(_SIZES)) for number in range(max(2000, int(nodes * share * 10)))]
    scheduler, placed = ModelScheduler(), 0
    started = time.perf_counter()
    for each in asked:
        found = scheduler.schedule(snapshot, each)
        if isinstance(found, Placed):
            snapshot.hold(found.node, found.partitions, each.key, each.pod.resources)
            placed += 1
    seconds = time.perf_counter() - started
    if not placed:
        raise AssertionError(f"none of {len(asked)} claims found a place on {nodes} nodes")
    return len(asked) / seconds
