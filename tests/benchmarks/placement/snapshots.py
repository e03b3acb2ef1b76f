"""What a snapshot of a large cluster costs: the first one, its memory, and one after a single claim has changed."""

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.placement.large_cluster import claim_on, large_cluster

MIB = 1 << 20
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class SnapshotCosts:
    """Of one run. `rss_mib`: what the first snapshot adds to the process, `state_rss_mib`: that, and the objects, tables
    and indexes that it comes from and keeps alive. Changes: one sample a claim, microseconds.

    `event_us` is what the informer's handlers do with the claim, its validation above all; `change_us` what the next
    snapshot does.
    """

    build_seconds: float
    rss_mib: float
    state_rss_mib: float
    event_us: Sequence[float]
    change_us: Sequence[float]


def snapshot_costs(nodes: int, changes: int) -> SnapshotCosts:
    """Measure on `nodes` nodes, each with a bound claim already."""
    gc.collect()
    empty = _rss()
    fed = large_cluster(nodes, nodes)
    gc.collect()
    before, started = _rss(), time.perf_counter()
    snapshot = fed.cluster.snapshot()
    seconds = time.perf_counter() - started
    gc.collect()
    rss, state_rss = _rss() - before, _rss() - empty
    events, rebuilt = [], []
    for number in range(changes):
        made = claim_on(nodes + number, f"worker-{number * 7 % nodes:05}", 1 + number % 7)
        began = time.perf_counter()
        fed.put(fed.cluster.claims, made)
        told = time.perf_counter()
        snapshot = fed.cluster.snapshot()
        rebuilt.append((time.perf_counter() - told) * 1e6)
        events.append((told - began) * 1e6)
    if len(snapshot.nodes) != nodes:
        raise AssertionError(f"the snapshot has {len(snapshot.nodes)} nodes, {nodes} were put in")
    return SnapshotCosts(seconds, rss / MIB, state_rss / MIB, events, rebuilt)


def _rss() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
