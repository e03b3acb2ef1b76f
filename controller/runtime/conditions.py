"""Conditions of a status, as dicts of the wire: set one, and see whether anything changed. Pure.

For controllers whose kinds have no models of their own. The list stays in its order, so that an unchanged status is
equal to the one before, and a write can be skipped:

    conditions = set_condition(status.get("conditions", []), condition, now)
    if conditions is status.get("conditions"):
        return  # nothing to write
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

Status = Literal["True", "False", "Unknown"]
Conditions: TypeAlias = list[dict[str, Any]]

_FIELDS = frozenset({"type", "status", "observedGeneration", "lastTransitionTime", "reason", "message"})


@dataclass(frozen=True, slots=True)
class Observation:
    """What a condition says now. `reason` is a CamelCase word for programs, `message` a sentence for people.

    `observed_generation`: the metadata.generation that it was computed from; None: not known, the field is left out.
    """

    type: str
    status: Status
    reason: str
    message: str = ""
    observed_generation: int | None = None


def set_condition(conditions: Conditions, observed: Observation, now: datetime) -> Conditions:
    """`conditions` with the observed one set, in their order; a new type comes last.

    The very same list when nothing differs. Otherwise a new one: the given list and its dicts are never changed.
    `lastTransitionTime` becomes `now` (cut to the second, as Kubernetes writes it) only when the status flips.
    """
    present = find_condition(conditions, observed.type)
    flips = present is None or present.get("status") != observed.status
    since = _seconds(now) if present is None or flips else present.get("lastTransitionTime") or _seconds(now)
    wanted = _condition(observed, since)
    if present is None:
        return [*conditions, wanted]
    # Fields of the kind's own (a heartbeat, say) stay; ours that are not known any more go.
    wanted = {name: value for name, value in present.items() if name not in _FIELDS} | wanted
    if present == wanted:
        return conditions
    return [wanted if condition is present else condition for condition in conditions]


def find_condition(conditions: Iterable[Mapping[str, Any]], type: str) -> Mapping[str, Any] | None:  # noqa: A002
    """The condition of that type, or None."""
    return next((condition for condition in conditions if condition.get("type") == type), None)


def is_true(conditions: Iterable[Mapping[str, Any]], type: str) -> bool:  # noqa: A002
    """Whether the condition of that type is there and True."""
    found = find_condition(conditions, type)
    return found is not None and found.get("status") == "True"


def _condition(observed: Observation, since: str) -> dict[str, Any]:
    condition: dict[str, Any] = {"type": observed.type, "status": observed.status}
    if observed.observed_generation is not None:
        condition["observedGeneration"] = observed.observed_generation
    return condition | {"lastTransitionTime": since, "reason": observed.reason, "message": observed.message}


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
