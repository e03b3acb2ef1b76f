"""When an error budget burns too fast, as expressions over the burn rates that the operator tells by window.

Windows are those by which the operator itself judges services (`controller.qos.error_budget.TIERS`), and it tells which
rate is too fast for each objective, so that an alert, the condition SLOMet and a wish for a larger partition agree.
"""

from collections.abc import Iterable
from typing import Final

from api.seconds import format_duration
from controller.qos.error_budget import LEAST_SLOW, TIERS, Tier
from controller.telemetry.instruments import SERVICE, SLO_BURN, SLO_BURN_LIMIT, SLO_SLOW
from dashboards.promql import highest, lowest
from dashboards.rules.expressions import of_leader
from dashboards.rules.pace import Pace

OBJECTIVE: Final = (*SERVICE, "metric", "percentile", "threshold")

_PAGES_FROM: Final = 6.0
PAGES: Final = tuple(tier for tier in TIERS if tier.burn >= _PAGES_FROM)
"""So fast that a month's budget is gone within five days, or most requests miss the objective: a person is woken."""
TICKETS: Final = tuple(tier for tier in TIERS if tier.burn < _PAGES_FROM)
"""Too fast to last a month."""


def burns(tiers: Iterable[Tier], pace: Pace) -> str:
    """Burn rates over the long window of each objective for which one of the tiers is exceeded."""
    return " or ".join(f"({_exceeded(tier, pace)})" for tier in tiers)


def _exceeded(tier: Tier, pace: Pace) -> str:
    """Over the long window, still over the short one, and by more than a few requests."""
    window = format_duration(tier.long_seconds)
    slow = highest(of_leader(pace, SLO_SLOW, window=window), OBJECTIVE)
    limit = lowest(of_leader(pace, SLO_BURN_LIMIT, window=window), OBJECTIVE)
    still = (f"{_burn(seconds, pace)} > {limit}" for seconds in (tier.long_seconds, tier.short_seconds))
    return " and ".join((*still, f"{slow} >= {LEAST_SLOW}"))


def _burn(seconds: int, pace: Pace) -> str:
    return highest(of_leader(pace, SLO_BURN, window=format_duration(seconds)), OBJECTIVE)
