"""Would the cases notice? Each alert is made wrong in every way that `mutants` knows, and its cases must fail."""

from pathlib import Path

import pytest

from dashboards.rules.alerts import alerts
from dashboards.rules.pace import REAL
from e2e.prometheus.programs import Programs
from tests.dashboards.rules.cases import of_alert
from tests.dashboards.rules.mutants import mutants
from tests.dashboards.rules.promtool import by_step, judge, together, write

AS_IT_IS = "as it is"


@pytest.mark.needs_prometheus
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [one.name for one in alerts()])
def test_an_alert_that_is_wrong_in_one_way_is_noticed(name: str, prometheus_programs: Programs, tmp_path: Path) -> None:
    manifest = next(one.manifest(REAL) for one in alerts() if one.name == name)
    sorts = [together(cases) for cases in by_step(of_alert(name))]
    files = {
        what: {write(tmp_path, f"mutant-{index}-{cases[0].step}", [rule], cases) for cases in sorts}
        for index, (what, rule) in enumerate([(AS_IT_IS, manifest), *mutants(manifest)])
    }
    assert len(files) > 5
    verdicts = judge(prometheus_programs.promtool, [path for paths in files.values() for path in paths])
    named = {what: {path.name for path in paths} for what, paths in files.items()}
    assert [what for what, names in named.items() if not names & verdicts.failed] == [AS_IT_IS]
    assert named[AS_IT_IS] <= verdicts.passed
