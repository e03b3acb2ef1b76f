"""``sloLatencyMs``: one entry of the hub's list of objectives.

The flat field shows the first entry that it can say whole: request latency, p99, kept 99 % of the time, in whole
milliseconds. All other entries stay in the stash, and in their order.
"""

from math import isclose
from typing import Any, Final

from api.conversion.nested import ABSENT
from api.duration import DurationError, parse_duration
from api.v1alpha1.inference_service import LONGEST_LATENCY_MS

_SHOWN: Final = {"metric": "requestLatency", "percentile": "p99", "objective": "99"}


def objectives_of(milliseconds: Any) -> Any:
    """``500`` -> the list with that one objective."""
    return [{**_SHOWN, "threshold": f"{milliseconds}ms"}]


def latency_of(objectives: Any) -> Any:
    """The milliseconds of the first objective that the flat field can say, or ABSENT."""
    if not isinstance(objectives, list):
        return ABSENT
    return next((found for entry in objectives if (found := _milliseconds(entry)) is not ABSENT), ABSENT)


def merged(kept: Any, given: Any) -> Any:
    """``kept`` with the one objective changed to ``given``, added at the end, or, when ABSENT, taken away.

    Taking away takes every entry that the flat field would show next: a field that is removed stays removed.
    """
    if given is ABSENT:
        return [entry for entry in kept if _milliseconds(entry) is ABSENT]
    place = next((i for i, entry in enumerate(kept) if _milliseconds(entry) is not ABSENT), len(kept))
    return [*kept[:place], *given, *kept[place + 1 :]]


def _milliseconds(entry: Any) -> Any:
    if not isinstance(entry, dict) or any(entry.get(name) != value for name, value in _SHOWN.items()):
        return ABSENT
    threshold = entry.get("threshold")
    if not isinstance(threshold, str):
        return ABSENT
    try:
        exact = parse_duration(threshold) * 1000
    except DurationError:
        return ABSENT
    whole = round(exact)
    return whole if isclose(exact, whole, rel_tol=1e-14, abs_tol=1e-6) and 1 <= whole <= LONGEST_LATENCY_MS else ABSENT
