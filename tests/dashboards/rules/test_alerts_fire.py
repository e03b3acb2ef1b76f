"""Each alert by promtool: silent before, told in time with all it says, silent after; and silent where it is to be."""

import re
from collections import Counter
from pathlib import Path

import pytest

from dashboards.rules.alerts import alerts
from dashboards.rules.pace import REAL
from e2e.prometheus.programs import Programs
from tests.dashboards.rules.cases import CASES, of_alert
from tests.dashboards.rules.handover import GONE, OF_LEADER, expanded
from tests.dashboards.rules.promtool import by_step, judge, write

NAMES = [one.name for one in alerts()]


@pytest.mark.needs_prometheus
def test_every_case_comes_out_as_it_says(prometheus_programs: Programs, tmp_path: Path) -> None:
    files = [
        write(tmp_path, f"{one.name}-{cases[0].step}", [one.manifest(REAL)], cases)
        for one in alerts()
        for cases in by_step(of_alert(one.name))
    ]
    verdicts = judge(prometheus_programs.promtool, files)
    assert verdicts.failed == frozenset(), verdicts.output
    assert verdicts.passed == {path.name for path in files}


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_seen_to_fire_and_to_be_silent(name: str) -> None:
    found = of_alert(name)
    assert any(case.fires for case in found)
    assert any(case.silent for case in found)


def test_every_case_is_of_an_alert_and_is_told_apart() -> None:
    assert {case.alert for case in CASES} == set(NAMES)
    assert [title for title, count in Counter(map(str, CASES)).items() if count > 1] == []


def test_every_alert_over_what_only_the_leader_tells_is_seen_to_outlast_a_handover() -> None:
    over = {one.name for one in alerts() if any(re.search(rf"\b{name}\b", one.expression) for name in OF_LEADER)}
    assert {case.alert for case in CASES if case.title.endswith(GONE)} == over
    assert {one.name for one in alerts() if "last_over_time(aim_" in one.expression} == over


@pytest.mark.parametrize(
    ("values", "samples"),
    [
        ("1x2 0", ["1", "1", "1", "0"]),
        ("0+60x2 _ stale", ["0", "60", "120", "_", "stale"]),
        ("_x2 3-1.5x1", ["_", "_", "3", "1.5"]),
    ],
)
def test_promtools_notation_is_read(values: str, samples: list[str]) -> None:
    assert expanded(values) == samples
