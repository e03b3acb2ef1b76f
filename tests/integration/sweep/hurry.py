"""Operator and agents that live faster than the plane they run on: their Clock sleeps and counts TIMES as fast.

A sweep of hundreds of changes waits for pauses most of its time. Dates stay those of the API server, which compares
them with its own, so a pause that is told in dates is shortened by hand. What other processes need to hear of a write
takes as long as ever, and so do the times that are allowed for it.
"""

from typing import Any, Final

from controller.agent import operation
from controller.reconcilers.gpu_partition_claim import placing
from controller.reconcilers.repartition_plan import quiesce, rollback
from controller.reconcilers.unhealthy import moving
from controller.runtime import manager
from controller.runtime.clock import RealClock

TIMES: Final = 15.0
"""How much faster."""
PROGRAM: Final = (
    "from tests.integration.sweep.hurry import hurry; from tests.integration.operator.warm_start import serve; "
    "hurry(); serve()"
)
"""What the parent of hurried processes runs."""

# Measured in dates.
_SHORTENED: Final[tuple[tuple[Any, str], ...]] = (
    (rollback, "PAUSE_SECONDS"),
    (quiesce, "PAUSE_SECONDS"),
    (placing, "REFUSED_PAUSE_SECONDS"),
    (moving, "MOVE_AFTER_SECONDS"),
)
# The scheduler's last allocation has to reach the agent's informers, here within a third of what it may take elsewhere.
_SETTLE_SHARE: Final = 1 / 3


def hurry() -> None:
    """From now on this process lives faster; it must not be serving yet."""
    monotonic, sleep = RealClock.monotonic, RealClock.sleep

    def hurried_monotonic(clock: RealClock) -> float:
        return TIMES * monotonic(clock)

    async def hurried_sleep(clock: RealClock, seconds: float) -> None:
        await sleep(clock, seconds / TIMES)

    hurried: dict[str, Any] = {"monotonic": hurried_monotonic, "sleep": hurried_sleep}
    for name, method in hurried.items():
        setattr(RealClock, name, method)
    for module, name in _SHORTENED:
        seconds = getattr(module, name)
        setattr(module, name, tuple(s / TIMES for s in seconds) if isinstance(seconds, tuple) else seconds / TIMES)
    operation.SETTLE_SECONDS *= TIMES * _SETTLE_SHARE
    manager._START_SECONDS *= TIMES
