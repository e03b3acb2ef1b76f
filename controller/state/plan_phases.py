"""How long RepartitionPlans stay in their phases: told as the watch shows that a phase has ended."""

from collections.abc import Callable

from api.v1beta1 import RepartitionPlan
from controller.runtime.cache.store import StoreEvent
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest
from controller.state.plan_gauges import ended_phases
from controller.state.plans import Plans


class PlanPhases:
    """Follows the plans. `tell` is given a phase and its seconds; `take` goes behind the table that it reads.

    What ended before we watched is not told again.
    """

    def __init__(self, plans: Plans, clock: Clock, tell: Callable[[str, float], None]) -> None:
        self._plans = plans
        self._clock = clock
        self._tell = tell
        self._seen: dict[str, RepartitionPlan] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """See what has ended."""
        before, after = self._seen.pop(event.key, None), self._plans.get(event.key)
        if after is None:
            return
        self._seen[event.key] = after
        if before is not None:  # another plan of the name comes after the end of this one
            for phase, seconds in ended_phases(before, after, self._clock.now()):
                self._tell(phase, seconds)
