"""What placement costs: a snapshot of ten thousand nodes and one changed claim, and decisions on clusters of three sizes.

`PARTS` are what it is made of; each gives rows, and notes for a reader.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, TypeAlias

from e2e.plane.progress import Progress
from tests.benchmarks.placement.decisions import decisions_per_second
from tests.benchmarks.placement.large_cluster import PARTITIONS
from tests.benchmarks.placement.layouts import layouts
from tests.benchmarks.placement.layouts_online import online
from tests.benchmarks.placement.snapshots import snapshot_costs
from tests.benchmarks.report import Report, Row, figure, percentile
from tests.benchmarks.thresholds import bounds
from tests.benchmarks.words import settings_of_words

NAME = "placement"

Tick: TypeAlias = Callable[[str], None]
"""Told what a part is at, again and again."""

Part: TypeAlias = Callable[["Settings", Tick], tuple[Sequence[Row], Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Settings:
    """`nodes` of the snapshot, claims that `changes` in it, `runs` of the decisions on `small` and `large` clusters.

    `samples` of batches whose modes are chosen jointly, `online` claims that come and go, in so many `orders`: one
    order tells a rule from another by a point or two either way, so fewer would say little.
    """

    nodes: int = 10_000
    changes: int = 300
    runs: int = 3
    small: int = 100
    large: int = 1_000
    huge: int = 10_000
    samples: int = 42
    online: int = 600
    orders: int = 9


def settings_of(data: str) -> Settings:
    """Words like `nodes=1000 runs=1`. Raises SettingsError, naming the word and what is there."""
    return settings_of_words(Settings(), data)


def snapshots(settings: Settings, tick: Tick) -> tuple[Sequence[Row], Sequence[str]]:
    """The first snapshot, and those after a claim has changed."""
    tick(f"{settings.nodes} nodes")
    costs = snapshot_costs(settings.nodes, settings.changes)
    rows = [
        _bounded("snapshot_build_seconds", "s", costs.build_seconds, [costs.build_seconds]),
        _bounded("snapshot_rss_mib", "MiB", costs.rss_mib, [costs.rss_mib]),
        _bounded("state_rss_mib", "MiB", costs.state_rss_mib, [costs.state_rss_mib]),
        _bounded("claim_change_us_p50", "us", percentile(costs.change_us, 50), costs.change_us),
        _bounded("claim_event_us_p50", "us", percentile(costs.event_us, 50), costs.event_us),
    ]
    size = settings.nodes * PARTITIONS
    return rows, [
        f"snapshot: {settings.nodes} nodes, {size} partitions of one make; its memory is beside that of the informers",
        "claim_change: a snapshot after the event of one claim; claim_event: that event, the claim's validation included",
    ]


def decisions(settings: Settings, tick: Tick) -> tuple[Sequence[Row], Sequence[str]]:
    """Decisions a second by the size of the cluster, and what a decision costs more on a larger one."""
    rows: list[Row] = []
    best: dict[int, float] = {}
    for nodes in (settings.small, settings.large, settings.huge):
        samples = []
        for seed in range(settings.runs):
            tick(f"{nodes} nodes, run {seed + 1} of {settings.runs}")
            samples.append(decisions_per_second(nodes, seed))
        best[nodes] = percentile(samples, 50)
        rows.append(_bounded(f"decisions_per_second_{nodes}_nodes", "1/s", best[nodes], samples))
    ratio = best[settings.large] / best[settings.huge]
    rows.append(_bounded("decision_cost_huge_to_large", "ratio", ratio, [ratio]))
    return rows, [f"decisions: nine shapes of claims on nodes of {PARTITIONS} partitions at most, in three modes"]


def _bounded(metric: str, unit: str, value: float, samples: Sequence[float]) -> Row:
    return figure(metric, unit, value, samples, bounds(NAME).get(metric))


def batches(settings: Settings, tick: Tick) -> tuple[Sequence[Row], Sequence[str]]:
    """Modes chosen for a batch beside a solver's choice."""
    return layouts(settings.samples, tick)


def arrivals(settings: Settings, tick: Tick) -> tuple[Sequence[Row], Sequence[str]]:
    """Modes and places for claims that come and go, beside simple rules."""
    return online(settings.online, settings.orders, tick)


PARTS: Final[tuple[Part, ...]] = (snapshots, decisions, batches, arrivals)


def run(progress: Progress, data: str = "", parts: Sequence[Part] = PARTS) -> Report:
    """Run all parts. Raises SettingsError for words it does not know."""
    settings = settings_of(data)
    found = []
    for number, part in enumerate(parts, start=1):
        with progress.step(number, len(parts), f"{NAME}, {part.__name__}") as step:
            found.append(part(settings, step.tick))
    return Report(
        name=NAME,
        runs=settings.runs,
        settings=asdict(settings),
        results=[row for rows, _ in found for row in rows],
        notes=["", *(note for _, notes in found for note in notes)],
    )
