"""An operator whose patience is a few seconds: for what it does only once it has waited.

`warm(worker, PROGRAM)` starts it. The times that are shortened are those of the operator alone; what other processes
are given to answer stays as long as ever, so a slow machine makes such a test slower, and nothing else.
"""

from types import ModuleType
from typing import Final

from controller.reconcilers.gpu_partition_claim import (
    binding,
    confirming,
    exclusions,
    placing,
    reading_back,
    repair,
)
from controller.reconcilers.rollout import scaling_in
from controller.reconcilers.unhealthy import controller as unhealthy
from controller.state import heartbeats

PROGRAM: Final = (
    "from tests.integration.operator.short_patience import shorten; "
    "from tests.integration.operator.warm_start import serve; shorten(); serve()"
)
"""What the parent of such operators runs."""

# Five heartbeats of a test's agents, which renew their Leases every second.
_FRESH_SECONDS: Final = 5.0
# The scheduler needs well under a second; one that is slower is asked about again, and nothing is undone.
_SCHEDULER_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.5

_PATIENT: Final = (repair, confirming, reading_back, binding, exclusions, placing)

_SHORTENED: Final[tuple[tuple[ModuleType, str, float], ...]] = (
    (heartbeats, "FRESH_SECONDS", _FRESH_SECONDS),
    (unhealthy, "TROUBLED_SECONDS", _LOOK_AGAIN_SECONDS),
    (scaling_in, "PAUSE_SECONDS", _LOOK_AGAIN_SECONDS),
    *((module, "PATIENCE_SECONDS", _SCHEDULER_SECONDS) for module in _PATIENT),
)


def shorten() -> None:
    """Shorten them in this process, which must not be serving yet. Raises AttributeError for a name that is gone."""
    for module, name, seconds in _SHORTENED:
        if not seconds < getattr(module, name):
            raise ValueError(f"{module.__name__}.{name} is {getattr(module, name)} s already; shorten nothing longer")
        setattr(module, name, seconds)
