"""Faults are planted where the chart still has what they change, and nothing else is changed."""

from pathlib import Path

import pytest

from e2e.chart.helm import CHART
from e2e.suite.__main__ import planted
from e2e.suite.planted import FAULTS, Fault, plant

SUITE = Path(__file__).parents[3] / "e2e/suite"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_one_file_differs_by_the_fault(fault: Fault, tmp_path: Path) -> None:
    made = plant(fault, tmp_path)
    files = [file.relative_to(CHART) for file in CHART.rglob("*") if file.is_file()]
    changed = [file for file in files if (CHART / file).read_bytes() != (made / file).read_bytes()]
    assert changed == [Path(fault.file)]
    assert fault.bad in (made / fault.file).read_text()
    assert [name for name in fault.scenarios if not (SUITE / name).is_file()] == []


def test_a_place_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 times, once was expected"):
        plant(Fault("gone", "values.yaml", "no such text", ""), tmp_path)


@pytest.mark.parametrize(
    ("as_it_is", "with_faults", "want_code", "want_runs"),
    [
        pytest.param(0, 1, 0, 1 + len(FAULTS), id="each fault is noticed"),
        pytest.param(0, 0, 1, 1 + len(FAULTS), id="none is noticed"),
        pytest.param(0, 2, 1, 1 + len(FAULTS), id="an interrupted run notices nothing"),
        pytest.param(1, 1, 1, 1, id="the chart as it is fails too"),
    ],
)
def test_a_fault_counts_as_noticed_where_the_chart_as_it_is_passes(
    as_it_is: int, with_faults: int, want_code: int, want_runs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: list[Path] = []
    cleaned: list[int] = []

    def run(chart: Path, names: tuple[str, ...]) -> tuple[int, str]:
        runs.append(chart)
        return (as_it_is if chart == CHART else with_faults), "why\n1 line\n"

    assert planted(run, lambda: cleaned.append(len(runs))) == want_code
    assert runs[0] == CHART
    assert CHART not in runs[1:]
    assert len(runs) == want_runs
    assert cleaned == list(range(1, want_runs + 1))
    told = capsys.readouterr().out.splitlines()
    assert ("why" in told) is (as_it_is != 0)  # all that it said, where nothing was to be wrong
    assert len([line for line in told if "(1 line)" in line]) == want_runs
