"""Processes that wait a few seconds where they wait a minute or two in a cluster: the story has four for everything."""

from types import ModuleType
from typing import Any, Final

from controller.gateway.control import observing, request_counts
from controller.reconcilers.inference_service import objectives
from controller.reconcilers.repartition_plan import quiesce, rollback
from tests.integration.operator import short_patience

_FORKS: Final = "from tests.integration.operator.warm_start import serve; serve()"
GATEWAY: Final = f"from tests.integration.metrics.hurry import gateway; gateway(); {_FORKS}"
"""What the parent of such a gateway runs: it writes what it counted, and reads of its engines, every few seconds."""
OPERATOR: Final = f"from tests.integration.metrics.hurry import operator; operator(); {_FORKS}"
"""The same of such an operator: `short_patience`, it judges objectives every few seconds and tries a way back again soon."""

_SECONDS: Final = 3.0
_PAUSES: Final = (0.5, 1.0)


def gateway() -> None:
    """Shorten what a gateway waits for, in this process, which must not be serving yet."""
    for module in (request_counts, observing):
        _shorten(module, "EACH_SECONDS", _SECONDS)


def operator() -> None:
    """Shorten what an operator waits for, in this process, which must not be serving yet."""
    short_patience.shorten()
    _shorten(objectives, "LOOK_SECONDS", _SECONDS)
    _shorten(quiesce, "PAUSE_SECONDS", _PAUSES[0])
    _shorten(rollback, "PAUSE_SECONDS", _PAUSES)


def _shorten(module: ModuleType, name: str, seconds: Any) -> None:
    present = getattr(module, name)
    if not seconds < present:
        raise ValueError(f"{module.__name__}.{name} is {present} already; shorten nothing longer")
    setattr(module, name, seconds)
