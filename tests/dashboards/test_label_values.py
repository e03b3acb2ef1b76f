"""Values of labels that queries name are among those that are told."""

import re
from collections.abc import Iterator

from api.seconds import format_duration
from controller.qos.error_budget import WINDOWS
from controller.reconcilers.scheduler_counts import OPERATIONS
from controller.repartition.phases import Phase
from dashboards.rules.endings import ENDED, Ending
from tests.dashboards.chosen import COMMITTED, asked
from tests.dashboards.inference import DECLARED, selectors

TOLD = {
    "phase": {phase.value for phase in Phase},
    ENDED: {ending.value for ending in Ending},
    "result": {result for results in OPERATIONS.values() for result in results},
    "window": {format_duration(seconds) for seconds in WINDOWS},
}
"""By label, where code has the values in a table."""
DESCRIBED = {"type", "state", "outcome"}
"""Labels whose values an instrument's description lists."""


def named() -> Iterator[tuple[str, str, str]]:
    """Each metric, label and value that some query names."""
    for board in COMMITTED.values():
        for query in asked(board):
            for selector in selectors(query.expr):
                for matcher in selector.matchers.matchers:
                    for value in matcher.value.split("|"):
                        if value not in ("", ".*"):
                            yield selector.name or "", matcher.name, value


def test_values_out_of_a_table_stand_in_it() -> None:
    found = {(label, value) for _, label, value in named() if label in TOLD}
    assert {label for label, _ in found} == TOLD.keys()
    assert [one for one in found if one[1] not in TOLD[one[0]]] == []


def test_values_that_a_description_lists_are_listed() -> None:
    words = {one.exported_name: set(re.findall(r"\w+", one.description)) for one in DECLARED}
    found = {(metric.removesuffix("_bucket"), label, value) for metric, label, value in named() if label in DESCRIBED}
    declared = {one for one in found if one[0] in words}
    assert {label for _, label, _ in declared} == DESCRIBED
    assert [one for one in declared if one[2] not in words[one[0]]] == []
