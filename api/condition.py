"""Conditions of a status: the one place that decides when ``lastTransitionTime`` moves."""

from collections.abc import Iterable
from datetime import datetime

from api.object import Condition, ConditionStatus

__all__ = ["Condition", "ConditionStatus", "find_condition", "is_true", "set_condition"]


def set_condition(
    conditions: Iterable[Condition],
    type: str,  # noqa: A002 - the API's own word
    status: ConditionStatus | str | bool,
    reason: str,
    message: str,
    observed_generation: int | None,
    now: datetime,
) -> list[Condition]:
    """``conditions`` with one of them set, in their order; a new type comes last.

    ``last_transition_time`` becomes ``now``, cut to the second as Kubernetes writes it, only when the status
    differs from the one recorded. A bool stands for True or False; None as generation means "not known".

    Raises:
        pydantic.ValidationError: the reason is not CamelCase, or a text is longer than the API takes.
        ValueError: ``status`` is no condition status.
    """
    kept = list(conditions)
    wanted = ConditionStatus(str(status))
    position = next((i for i, known in enumerate(kept) if known.type == type), len(kept))
    unchanged = position < len(kept) and kept[position].status == wanted
    entry = Condition(
        type=type,
        status=wanted,
        reason=reason,
        message=message,
        observed_generation=observed_generation,
        last_transition_time=kept[position].last_transition_time if unchanged else now.replace(microsecond=0),
    )
    kept[position : position + 1] = [entry]
    return kept


def find_condition(conditions: Iterable[Condition], type: str) -> Condition | None:  # noqa: A002
    """The condition of that type, or None."""
    return next((condition for condition in conditions if condition.type == type), None)


def is_true(conditions: Iterable[Condition], type: str) -> bool:  # noqa: A002
    """Whether the condition of that type is present and True."""
    found = find_condition(conditions, type)
    return found is not None and found.status is ConditionStatus.TRUE
