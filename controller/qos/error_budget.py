"""Error budgets: how many requests may miss an objective, how fast they are used up, and when that is too fast.

An objective "p99 within 500 ms for 99 % of the time" needs 0.99 x 0.99 of the requests within 500 ms: in the time that
may be missed nobody promises anything, so what is left is its budget. A burn rate of 1 uses the budget up in exactly
its period, 30 days. `TIERS` are those of Google's SRE Workbook, "Alerting on SLOs": each looks at a long window, that
the burn matters, and at a short one, that it is still going on. They are meant for objectives that few requests may
miss: where half of them may, none burns faster than at 2, so a tier asks for no more than `limit_of` says.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controller.qos.slo_counts import RequestCounts, Tally

PERIOD_SECONDS: Final = 30 * 86_400
WINDOWS: Final = (300, 1800, 3600, 21_600, 259_200, PERIOD_SECONDS)
"""Seconds of the windows that are told, shortest first; the last one is the budget's period."""

LEAST_SLOW: Final = 10
"""Slow requests in the long window below which a tier says nothing. So few events make a rate that is uncertain by a
third (one over the square root of ten): below that a quiet service's one slow request in the night would count."""

CALM_SECONDS: Final = 21_600
CALM_BURN: Final = 0.5
"""What was burning is over once no tier says otherwise and the burn over so many seconds is below this."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A burn rate that is too fast when it is exceeded over both windows, in seconds."""

    burn: float
    long_seconds: int
    short_seconds: int


TIERS: Final = (Tier(14.4, 3600, 300), Tier(6.0, 21_600, 1800), Tier(1.0, 259_200, 21_600))
"""The fastest first: 2 % of the budget in an hour, 5 % in six hours, 10 % in three days."""

KEPT_AT_LEAST: Final = 0.5
"""Part of the requests that have to be within the threshold, below which a budget burns too fast by every tier. Half of
them: far from what an objective's noise explains, and reached within an hour when every request is slow."""


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in the last `seconds`."""

    seconds: int
    tally: Tally
    burn: float

    @property
    def attainment(self) -> float:
        """Share of the requests within the threshold, 0 to 1. There are some: a window without is not made."""
        return 1 - self.tally.slow / self.tally.requests


@dataclass(frozen=True, slots=True)
class Budget:
    """How well one objective is kept. `needed` is the share of requests that has to be within the threshold, 0 to 1.

    `windows` are those with requests, shortest first. `tier` is the fastest one that is exceeded, None for none.
    `calm`: nothing burns, and has not for hours.
    """

    needed: float
    windows: tuple[Window, ...]
    tier: Tier | None
    calm: bool

    @property
    def attainment(self) -> float | None:
        """Share of the period's requests within the threshold, 0 to 1; None without requests."""
        return self.windows[-1].attainment if self.windows else None

    @property
    def left(self) -> float | None:
        """Share of the period's budget that is left, below 0 where more was used; None without requests."""
        return 1 - self.windows[-1].burn if self.windows else None

    @property
    def burn(self) -> float:
        """The rate over the long window of the tier that is exceeded, 0 while none is."""
        if self.tier is None:
            return 0.0
        return next(window.burn for window in self.windows if window.seconds == self.tier.long_seconds)

    @property
    def limit(self) -> float:
        """The rate that the tier allows of this objective, 0 while none is exceeded."""
        return 0.0 if self.tier is None else limit_of(self.tier, self.needed)


def needed_share(percentile: float, objective_percent: float) -> float:
    """Share of requests that has to be within the threshold, above 0 and below 1.

    Raises:
        ValueError: the percentile is not between 0 and 100, or the objective not above 0 and up to 100.
    """
    if not 0 < percentile < 100:
        raise ValueError(f"percentile {percentile} is not between 0 and 100: write one such as 99")
    if not 0 < objective_percent <= 100:
        raise ValueError(f"objective {objective_percent} is not above 0 and up to 100: write one such as 99.5")
    return percentile * objective_percent / 10_000


def burn_rate(tally: Tally, needed: float) -> float:
    """How many times faster than allowed requests were slow; 0 without any. `needed` is below 1."""
    return tally.slow / tally.requests / (1 - needed) if tally.requests else 0.0


def limit_of(tier: Tier, needed: float) -> float:
    """The burn rate above which the tier is exceeded, from 1 to the tier's own. `needed` is above 0 and below 1.

    A rate that less than `KEPT_AT_LEAST` of the needed requests within the threshold means is always enough, so a
    service of which every request is slow exceeds each tier whatever its objective. It is rounded down to a hundredth.
    """
    enough = (1 - KEPT_AT_LEAST * needed) / (1 - needed)
    return min(tier.burn, math.floor(round(100 * enough, 6)) / 100)


def told(burn: float) -> float:
    """A burn rate rounded up to a hundredth, as which it is told: it is above a limit where the rate itself is."""
    return math.ceil(round(100 * burn, 6)) / 100


def budget_of(counts: RequestCounts, needed: float, now: float) -> Budget:
    """What the counts say at this moment, seconds since 1970."""

    def tally(seconds: int) -> Tally:
        return counts.within(seconds, now)

    found = ((seconds, tally(seconds)) for seconds in WINDOWS)
    windows = tuple(Window(seconds, each, burn_rate(each, needed)) for seconds, each in found if each.requests)
    tier = next((tier for tier in TIERS if _exceeded(tier, tally, needed)), None)
    calm = tier is None and burn_rate(tally(CALM_SECONDS), needed) < CALM_BURN
    return Budget(needed, windows, tier, calm)


def _exceeded(tier: Tier, tally: Callable[[int], Tally], needed: float) -> bool:
    long, short = tally(tier.long_seconds), tally(tier.short_seconds)
    limit = limit_of(tier, needed)
    return long.slow >= LEAST_SLOW and all(told(burn_rate(each, needed)) > limit for each in (long, short))
