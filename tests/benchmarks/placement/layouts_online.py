"""Claims that come one at a time and leave again: how much GPU memory is allocated over time, ours and simple rules.

Ours is the operator's own decision (`operator_online`), with the policy's `divide: First` and, beside it, `WhenFull`. The
simple rules change idle GPUs for one claim at a time: when no free partition takes it, or, dividing first, whenever a
tighter partition could be made; the static ones never. Changes take no time here. Who finds no place waits and is asked
again, oldest first, when somebody leaves; after as long as claims last on average it gives up.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import mean
from typing import Final

from controller.gpu.mode import Mode, mode
from controller.placement.demand import Resources
from controller.placement.layouts.problem import LayoutClaim
from tests.benchmarks.placement.layouts_fleet import Fleet, Host, Taken
from tests.benchmarks.placement.layouts_samples import model_sizes
from tests.benchmarks.placement.operator_online import Operator
from tests.benchmarks.report import Row, figure, row
from tests.benchmarks.thresholds import bounds

PRODUCTS: Final = ("MI300X", "MI300X", "MI300X", "MI325X", "MI325X", "MI355X", "MI355X", "MI210")
LOAD: Final = 1.1
"""GPU memory asked for by those who are there at one time, on average, as a share of the fleet's."""

_WARM_UP: Final = 1.0
"""In mean lives of a claim: the fleet starts empty, and what is allocated meanwhile does not count."""

_MOST_WAITING: Final = 20
"""So many of those who wait are asked again when somebody leaves."""

OURS: Final = "ours"
WHEN_FULL: Final = "ours, divide: WhenFull"
_OVER_BEST: Final = "layout_online_points_over_best"
_WHOLE: Final = mode("SPX/NPS1")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A claim, when it comes and how long it stays once placed, in mean lives."""

    claim: LayoutClaim
    at: float
    stays: float


def arrivals(count: int, seed: int, capacity: int) -> Iterator[Arrival]:
    """So many claims of catalogue models that fit one GPU or, in ranks, one node."""
    chance, at = Random(seed), 0.0
    claims = [_claim(number, chance) for number in range(count)]
    gap = mean(claim.bytes for claim in claims) / (LOAD * capacity)
    for claim in claims:
        at += chance.expovariate(1 / gap)
        yield Arrival(claim, at, chance.expovariate(1.0))


def _claim(number: int, chance: Random) -> LayoutClaim:
    largest = 256 << 30
    while True:
        sizes = chance.choice(model_sizes())
        ranks = next((each for each in sizes if sizes[each] <= largest), None)
        if ranks is not None and ranks <= 4:
            return LayoutClaim(f"claim-{number:05}", sizes[ranks], ranks, resources=Resources())


Places = Sequence[tuple[Host, Mode, Taken]]
Rule = Callable[[Fleet, Sequence[LayoutClaim]], set[str]]
"""Places of those who wait what it can, and says whom."""


def simulate(rule: Rule, fleet: Fleet, coming: Sequence[Arrival]) -> float:
    """Percent of the fleet's memory that is allocated to claims, over time, from the warm-up to the last arrival."""
    stays = {each.claim.key: each.stays for each in coming}
    events: list[tuple[float, int, str]] = [(each.at, 1, each.claim.key) for each in coming]
    heapq.heapify(events)
    claims = {each.claim.key: each for each in coming}
    waiting: dict[str, Arrival] = {}
    end, last, area = coming[-1].at, 0.0, 0.0
    while events and events[0][0] <= end:
        now, kind, key = heapq.heappop(events)
        area += fleet.allocated * max(0.0, now - max(last, _WARM_UP))
        last = now
        if kind == 0:
            fleet.leave(key)
        else:
            waiting[key] = claims[key]
        waiting = {each: arrival for each, arrival in waiting.items() if now - arrival.at < 1.0}
        asking = list(waiting.values())[:_MOST_WAITING] if kind == 0 else [claims[key]]
        for placed in rule(fleet, [arrival.claim for arrival in asking]):
            del waiting[placed]
            heapq.heappush(events, (now + stays[placed], 0, placed))
    return 100 * area / (fleet.capacity * (end - _WARM_UP))


def one_by_one(pick: Callable[[Places], int], *, changing: bool) -> Rule:
    """A rule that takes one of the free places, or else changes idle GPUs as `pick` says."""

    def rule(fleet: Fleet, waiting: Sequence[LayoutClaim]) -> set[str]:
        return {
            claim.key for claim in waiting if _place(fleet, claim, pick) or (changing and _change(fleet, claim, pick))
        }

    return rule


def _place(fleet: Fleet, claim: LayoutClaim, pick: Callable[[Places], int]) -> bool:
    places = [(host, each, taken) for host in fleet.hosts for each, taken in host.room(claim)]
    if places:
        host, _, taken = places[pick(places)]
        fleet.seat(claim, host, taken)
    return bool(places)


def _change(fleet: Fleet, claim: LayoutClaim, pick: Callable[[Places], int]) -> bool:
    ways = [(host, each, modes) for host in fleet.hosts for each, modes in host.changes(claim)]
    if not ways:
        return False
    host, _, modes = ways[pick([(host, each, ()) for host, each, _ in ways])]
    host.change(modes)
    places = [(host, each, taken) for each, taken in host.room(claim)]
    host, _, taken = places[_tightest(places)]
    fleet.seat(claim, host, taken)
    return True


def _tightest(places: Places) -> int:
    return min(range(len(places)), key=lambda i: (places[i][0].product.partition_bytes(places[i][1]), i))


def dividing(fleet: Fleet, waiting: Sequence[LayoutClaim]) -> set[str]:
    """The tightest partition there is or could be made of idle GPUs, one claim after the other."""
    return {claim.key for claim in waiting if _place_or_divide(fleet, claim)}


def _place_or_divide(fleet: Fleet, claim: LayoutClaim) -> bool:
    there = [host.product.partition_bytes(each) for host in fleet.hosts for each, _ in host.room(claim)]
    made = [host.product.partition_bytes(each) for host in fleet.hosts for each, _ in host.changes(claim)]
    if made and (not there or min(made) < min(there)):
        return _change(fleet, claim, _tightest)
    return _place(fleet, claim, _tightest)


def rules(seed: int) -> Mapping[str, tuple[Rule, Mode]]:
    """Every rule with the mode in which its fleet starts."""
    chance = Random(seed)
    still = one_by_one(_tightest, changing=False)
    return {
        OURS: (Operator(), _WHOLE),
        WHEN_FULL: (Operator(divides=False), _WHOLE),
        "one by one, dividing first": (dividing, _WHOLE),
        "first fit": (one_by_one(lambda _: 0, changing=True), _WHOLE),
        "best fit": (one_by_one(_tightest, changing=True), _WHOLE),
        "random": (one_by_one(lambda places: chance.randrange(len(places)), changing=True), _WHOLE),
        "static SPX": (still, _WHOLE),
        "static DPX": (still, mode("DPX/NPS1")),
        "static QPX": (still, mode("QPX/NPS1")),
        "static CPX": (still, mode("CPX/NPS1")),
    }


def online(claims: int, orders: int, tick: Callable[[str], None]) -> tuple[Sequence[Row], Sequence[str]]:
    """A row for ours beside each rule: allocated memory in percent, a sample an order of arrival."""
    found: dict[str, list[float]] = {}
    for seed in range(orders):
        for name, (rule, start) in rules(seed).items():
            fleet = Fleet(PRODUCTS, start)
            coming = list(arrivals(claims, seed, fleet.capacity))
            tick(f"order {seed + 1} of {orders}: {name}")
            found.setdefault(name, []).append(simulate(rule, fleet, coming))
    own = found.pop(OURS)
    rows = [row("layout_online_allocated_percent", "%", own, name, samples) for name, samples in found.items()]
    best = max(mean(samples) for name, samples in found.items() if name != WHEN_FULL)
    over = [sample - best for sample in own]
    bound = bounds("placement").get(_OVER_BEST)
    return [*rows, figure(_OVER_BEST, "points", mean(over), over, bound)], [
        f"online: {claims} claims on {8 * len(PRODUCTS)} GPUs at {LOAD:.0%} load, {orders} orders; modes change on idle GPUs only"
    ]
