"""The hour under each policy, side by side: rows, and a table for a person.

Each is tuned: it is played with several numbers of seats a partition over the first trace, and the best for its goodput is
what it has on the others. Ours comes twice: as others, which know nothing of deadlines, and with requests that say until
when their first token is of use.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from e2e.plane.progress import Progress
from tests.benchmarks.gateway.hour.judge import Verdict, judge
from tests.benchmarks.gateway.hour.ours import Ours
from tests.benchmarks.gateway.hour.partition import work
from tests.benchmarks.gateway.hour.play import FULL_SPEED, Play
from tests.benchmarks.gateway.hour.policies import Begin, Policy, StaticSplit, first_come, strict_priority
from tests.benchmarks.gateway.hour.trace import CLASSES, Arrival, arrivals
from tests.benchmarks.report import Row, row
from tests.benchmarks.thresholds import Threshold

OURS: Final = "ours"
OURS_TOLD: Final = "ours, deadlines told"
SEATS: Final = (FULL_SPEED, 32, 48, 64)
_SEEDS: Final = (42, 43, 44)
_USUAL_SECONDS: Final = 60.0

Maker = Callable[[Begin], Policy]


def rows(minutes: int, thresholds: Mapping[str, Threshold], progress: Progress) -> tuple[list[Row], list[str]]:
    """The rows against each policy, and lines that show all of them."""
    found: dict[str, list[Verdict]] = {}
    chosen: dict[str, int] = {}
    with progress.step(1, 1, f"{minutes} minutes of mixed requests", _USUAL_SECONDS) as step:
        for seed in _SEEDS:
            trace = arrivals(minutes, seed)
            for name, makers in policies(trace).items():
                step.tick(f"seed {seed}, {name}")
                tried = {
                    index: judge(Play(makers[index]).run(trace), 60.0 * minutes)
                    for index in ([chosen[name]] if name in chosen else range(len(makers)))
                }
                chosen[name] = max(tried, key=lambda index, of=tried: of[index].goodput)  # type: ignore[misc]
                found.setdefault(name, []).append(tried[chosen[name]])
    peers = [name for name in found if not name.startswith(OURS)]
    compared = [
        row(f"hour_{metric}{suffix}", unit, [get(v) for v in found[ours]], peer, [get(v) for v in found[peer]], bound)
        for ours, suffix in ((OURS, ""), (OURS_TOLD, "_deadlines_told"))
        for metric, unit, get in _METRICS
        for peer in peers
        for bound in [thresholds.get(f"hour_{metric}{suffix}_{peer.replace(' ', '_')}")]
    ]
    return compared, _table(found, {name: SEATS[index] for name, index in chosen.items()})


def policies(trace: Sequence[Arrival]) -> Mapping[str, Sequence[Maker]]:
    """By name, each with all its numbers of seats."""
    weights = Counter[str]()
    for arrival in trace:
        weights[arrival.traffic.model] += round(1e6 * sum(work(arrival)))
    return {
        OURS: [partial(Ours, seats=seats, deadlines=False) for seats in SEATS],
        OURS_TOLD: [partial(Ours, seats=seats, deadlines=True) for seats in SEATS],
        "first come first served": [partial(first_come, seats=seats) for seats in SEATS],
        "strict priority": [partial(strict_priority, seats=seats) for seats in SEATS],
        "static split": [partial(StaticSplit, seats=seats, weights=weights) for seats in SEATS],
    }


_METRICS: Final[Sequence[tuple[str, str, Callable[[Verdict], float]]]] = (
    ("goodput", "requests/s", lambda verdict: verdict.goodput),
    ("fairness", "1", lambda verdict: verdict.fairness),
    ("worst_model_in_time", "1", lambda verdict: verdict.worst_model),
    ("neighbours_of_a_flood_in_time", "1", lambda verdict: verdict.neighbours),
)


def _table(found: Mapping[str, Sequence[Verdict]], seats: Mapping[str, int]) -> list[str]:
    """The first seed's figures of each policy, and the seats a partition that it has."""
    lines = [
        "",
        f"{'the hour':26} {'seats':>5} {'goodput':>9} {'fairness':>9} {'worst':>7} {'flood':>7}  in time by class",
    ]
    for name, verdicts in found.items():
        verdict = verdicts[0]
        by_class = ", ".join(f"{one} {verdict.attainment[one]:.1%}" for one in CLASSES)
        lines.append(
            f"{name:26} {seats[name]:>5} {verdict.goodput:>7.2f}/s {verdict.fairness:>9.3f} {verdict.worst_model:>7.1%} "
            f"{verdict.neighbours:>7.1%}  {by_class}"
        )
    lines.append(f"offered: {next(iter(found.values()))[0].offered:.2f} requests a second")
    return lines
