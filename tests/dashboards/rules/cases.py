"""All cases."""

from tests.dashboards.rules import cases_memory, cases_nodes, cases_operation, cases_scheduling, cases_services
from tests.dashboards.rules.handover import without_leader
from tests.dashboards.rules.promtool import Case

_WRITTEN = [
    *cases_memory.CASES,
    *cases_scheduling.CASES,
    *cases_nodes.CASES,
    *cases_services.CASES,
    *cases_operation.CASES,
]
CASES = [*_WRITTEN, *without_leader(_WRITTEN)]


def of_alert(name: str) -> list[Case]:
    """Those of one alert."""
    return [case for case in CASES if case.alert == name]
