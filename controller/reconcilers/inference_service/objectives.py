"""How well a service keeps its objectives: its status.slo, the condition SLOMet, and when to look again. Pure.

The gateway counts, a write a minute at most; here is judged what the counts come to. Windows move on while nobody
writes, so a service with requests in them is looked at again by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.duration import format_duration
from api.v1beta1 import InferenceService
from api.v1beta1.service_level import ObjectiveStatus
from controller.qos.error_budget import LEAST_SLOW, PERIOD_SECONDS, TIERS, Tier
from controller.reconcilers.inference_service.status import Verdict
from controller.translate.objectives import Unreadable, Watched, burn_text, objective_status, percent_down, watched

#: While requests are in the windows that burn rates are taken over, which move by the minute.
LOOK_SECONDS: Final = 60.0
#: While they are only in those by which nothing is decided but what is told.
LOOK_SELDOM_SECONDS: Final = 1800.0
_RECENT: Final = max(tier.short_seconds for tier in TIERS)
_PERIOD: Final = f"{PERIOD_SECONDS // 86_400} days"


@dataclass(frozen=True, slots=True)
class Levels:
    """The objectives of one service. `verdict` is the condition SLOMet, None for a service without any.

    `look_after` asks for another look, seconds; None: at the next event.
    """

    objectives: tuple[Watched, ...] = ()
    verdict: Verdict | None = None
    look_after: float | None = None

    @property
    def status(self) -> list[ObjectiveStatus]:
        """The objectives as the API shows them."""
        return [objective_status(one) for one in self.objectives]

    @property
    def worst(self) -> Watched | None:
        """The objective whose budget is used up too fast, of several by the fastest tier; None while none is."""
        burning = [one for one in self.objectives if one.budget.tier is not None]
        return max(burning, key=_haste, default=None)

    @property
    def calm(self) -> bool:
        """Whether nothing burns, and has not for hours."""
        return all(one.budget.calm for one in self.objectives)


def levels_of(service: InferenceService, now: float) -> Levels:
    """What is to be told at this moment, seconds since 1970."""
    objectives, unreadable = watched(service, now)
    if not objectives:
        return Levels()
    windows = [window.seconds for one in objectives for window in one.budget.windows]
    look = None
    if windows:
        look = LOOK_SECONDS if min(windows) <= _RECENT else LOOK_SELDOM_SECONDS
    levels = Levels(objectives, look_after=look)
    return Levels(objectives, _verdict(levels, unreadable), look)


def _verdict(levels: Levels, unreadable: Sequence[Unreadable]) -> Verdict:
    if levels.worst is not None and levels.worst.budget.tier is not None:
        return "False", "BudgetBurns", f"{_burns(levels.worst, levels.worst.budget.tier)}; {_left(levels.worst)}"
    told = [one for one in levels.objectives if one.budget.left is not None]
    spent = [one for one in told if (one.budget.left or 0) < 0]
    if spent:
        worst = min(spent, key=lambda one: one.budget.left or 0)
        slow = worst.budget.windows[-1].tally.slow
        if slow >= LEAST_SLOW:
            return "False", "BudgetSpent", f"{worst}: {_left(worst)}"
        return "Unknown", "FewRequests", f"{worst}: {slow} requests beyond it are too few to tell"
    if unreadable:
        first = unreadable[0]
        return "Unknown", "CountsUnreadable", f"what shard {first.shard} of the gateway counted: {first.problem}"
    if not told:
        return "Unknown", "NoRequests", f"the gateway counted no requests in the last {_PERIOD}"
    least = min(told, key=lambda one: one.budget.left or 0)
    return "True", "WithinBudget", f"{least}: {_left(least)}"


def _burns(one: Watched, tier: Tier) -> str:
    over, still = format_duration(tier.long_seconds), format_duration(tier.short_seconds)
    allowed = f"{burn_text(one.budget.burn)} times as many requests as allowed were beyond it in {over}"
    return f"{one}: {allowed}, and more than {burn_text(one.budget.limit)} times as many in {still}, too"


def _left(one: Watched) -> str:
    left = one.budget.left or 0.0
    attained = f"{percent_down(one.budget.attainment or 0.0)} % of the requests of {_PERIOD} were within it"
    if left < 0:
        return f"{attained}, and the error budget is spent {1 - left:.1f} times over"
    return f"{attained}, and {100 * left:.0f} % of the error budget is left"


def _haste(one: Watched) -> tuple[float, float]:
    tier = one.budget.tier
    return (tier.burn if tier is not None else 0.0, one.budget.burn)
