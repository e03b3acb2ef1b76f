"""The mirrored condition within the conditions of a status of KServe's. Pure."""

from datetime import datetime

from api.group import MIRRORED_CONDITION
from controller.reconcilers.kserve_service.verdict import Verdict
from controller.runtime.conditions import Conditions, Observation, find_condition, set_condition

#: A condition without a severity would count: KServe's own Ready would turn False with it.
SEVERITY = {"severity": "Info"}


def mirrored(conditions: Conditions, verdict: Verdict | None, now: datetime) -> Conditions:
    """`conditions` with the verdict among them, or without ours where there is none.

    The same list when nothing differs. All other conditions stay as they are, in their order.
    """
    present = find_condition(conditions, MIRRORED_CONDITION)
    if verdict is None:
        return conditions if present is None else [entry for entry in conditions if entry is not present]
    told = Observation(MIRRORED_CONDITION, verdict.status, verdict.reason, verdict.message)
    after = set_condition(conditions, told, now)
    return [_of_severity_info(entry) for entry in after] if _lacks_severity(after) else after


def _lacks_severity(conditions: Conditions) -> bool:
    return any(entry["type"] == MIRRORED_CONDITION and entry.get("severity") != "Info" for entry in conditions)


def _of_severity_info(entry: dict[str, object]) -> dict[str, object]:
    return entry | SEVERITY if entry["type"] == MIRRORED_CONDITION else entry
