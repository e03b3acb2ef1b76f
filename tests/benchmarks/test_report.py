import json
from pathlib import Path

import pytest

from tests.benchmarks.report import Report, Row, figure, percentile, row, table, write
from tests.benchmarks.thresholds import Bound, Threshold

FASTER = Threshold("go", 0.1, "said so", ratio_at_least=1.5)
SMALLER = Threshold("go", 0.1, "said so", ratio_at_most=0.5)


@pytest.mark.parametrize(
    ("ours", "theirs", "threshold", "want_ratio", "want_met"),
    [
        pytest.param([150, 10, 900], [100, 1, 101], FASTER, 1.5, True, id="medians on the bound meet it"),
        pytest.param([149.9, 10, 900], [100, 1, 101], FASTER, 1.499, False, id="a hair below at_least misses it"),
        pytest.param([50], [100], SMALLER, 0.5, True, id="at_most on the bound is met"),
        pytest.param([50.001], [100], SMALLER, 0.5, False, id="met follows the ratio before it is rounded"),
        pytest.param([1], [2], None, 0.5, None, id="without a threshold nothing is met or missed"),
        pytest.param([1], [0], FASTER, None, None, id="a peer at zero has no ratio"),
    ],
)
def test_a_row_compares_medians(
    ours: list[float], theirs: list[float], threshold: Threshold | None, want_ratio: float | None, want_met: bool | None
) -> None:
    found = row("speed", "objects/s", ours, "go", theirs, threshold)
    assert (found.ratio, found.met) == (want_ratio, want_met)


def test_a_threshold_against_another_peer_asks_nothing() -> None:
    found = row("speed", "objects/s", [1], "kopf", [100], FASTER)
    assert (found.target, found.met) == (None, None)


def test_a_row_without_a_peer_has_our_figures_alone() -> None:
    found = row("rss", "MB", [3.0, 1.0, 2.0])
    assert found == Row("rss", "MB", 2.0, {"ours": (1.0, 3.0)}, None, None, None, None, None)


def test_spread_is_smallest_and_largest_of_each_side() -> None:
    found = row("speed", "objects/s", [3, 1, 2], "go", [30, 20, 10], FASTER)
    assert found.spread == {"ours": (1, 3), "peer": (10, 30)}
    assert found.target == "ratio >= 1.5"


@pytest.mark.parametrize(
    ("percent", "want"),
    [(50, 2.0), (75, 3.0), (76, 4.0), (99, 4.0), (100, 4.0), (1, 1.0)],
)
def test_percentile_is_the_nearest_rank(percent: float, want: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == want


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


KEYS = ["metric", "unit", "ours", "spread", "peer", "peer_value", "ratio", "target", "met"]


def test_the_file_has_the_agreed_form(tmp_path: Path) -> None:
    report = Report("controller", 5, {"sizes": (1, 2)}, [row("speed", "objects/s", [2], "go", [1], FASTER)])
    path = write(report, tmp_path / "bench")
    written = json.loads(path.read_text())
    assert path.name == "controller.json"
    assert list(written) == ["name", "runs", "settings", "results", "notes"]
    assert [list(found) for found in written["results"]] == [KEYS]
    assert written["results"][0]["met"] is True


def test_the_table_names_what_was_missed() -> None:
    report = Report("controller", 1, {}, [row("speed", "objects/s", [1], "go", [1], FASTER), row("rss", "MB", [5])])
    assert "ratio >= 1.5 MISSED" in table(report)
    assert "rss" in table(report)


@pytest.mark.parametrize(
    ("value", "bound", "want"),
    [
        pytest.param(0.05, Bound("said so", at_most=0.05), True, id="at most, on the bound"),
        pytest.param(0.050001, Bound("said so", at_most=0.05), False, id="at most, before it is rounded"),
        pytest.param(0.9, Bound("said so", at_least=0.9), True, id="at least, on the bound"),
        pytest.param(0.9, None, None, id="nothing asked"),
    ],
)
def test_a_figure_is_bounded_by_itself(value: float, bound: Bound | None, want: bool | None) -> None:
    found = figure("error", "share", value, [0.01, 0.2], bound)
    assert found.met is want
    assert found.spread == {"ours": (0.01, 0.2)}


def test_the_table_ends_with_its_notes() -> None:
    assert table(Report("sizing", 1, {}, [], ["one row left out"])).endswith("\none row left out")
