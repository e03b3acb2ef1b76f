"""What is written reads back as what it was: by the parser of Prometheus' own client."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from controller.runtime.instrument import Instrument, Kind, counter, gauge, histogram
from controller.telemetry.families import Family
from controller.telemetry.histograms import Merged
from controller.telemetry.text import ROWS_A_PIECE, pieces

READY = gauge("aim_ready", "1", ("test",), ("node", "model"), "Whether it is \\ ready,\nor not")
TURNS = counter("aim_turns", "1", ("test",), (), "Turns")
WAIT = histogram("aim_wait", "s", ("test",), ("class",), "Waited", (0.5, 1.0))

text = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters='\n\\"%{},='), max_size=8)


def read(family: Family) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    written = "".join(pieces(family))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for found in text_string_to_metric_families(written)
        for sample in found.samples
    }


@given(st.dictionaries(st.tuples(text, text), st.floats(allow_nan=False), max_size=5))
def test_any_label_and_any_figure_comes_back(rows: dict[tuple[str, str], float]) -> None:
    found = read(Family(READY, figures=list(rows.items())))
    assert found == {("aim_ready", (("model", model), ("node", node))): value for (node, model), value in rows.items()}


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), text, st.floats(0, 1e9))
def test_buckets_add_up_and_the_last_is_the_count(counts: list[int], name: str, total: float) -> None:
    found = read(Family(WAIT, histograms=[((name,), Merged((0.5, 1.0), counts, total))]))
    of = ("class", name)
    assert [found["aim_wait_seconds_bucket", tuple(sorted([of, ("le", edge)]))] for edge in ("0.5", "1.0", "+Inf")] == [
        counts[0],
        counts[0] + counts[1],
        sum(counts),
    ]
    assert found["aim_wait_seconds_count", (of,)] == sum(counts)
    assert found["aim_wait_seconds_sum", (of,)] == total


def test_a_series_without_labels_has_no_braces() -> None:
    assert "".join(pieces(Family(TURNS, figures=[((), 3)]))).splitlines() == [
        "# HELP aim_turns_total Turns",
        "# TYPE aim_turns_total counter",
        "aim_turns_total 3.0",
    ]
    alone = Instrument("aim_wait", "s", "Waited", Kind.HISTOGRAM, (), (), (0.5,))
    assert "".join(pieces(Family(alone, histograms=[((), Merged((0.5,), (1, 2), 4.0))]))).splitlines()[2:] == [
        'aim_wait_seconds_bucket{le="0.5"} 1',
        'aim_wait_seconds_bucket{le="+Inf"} 3',
        "aim_wait_seconds_count 3",
        "aim_wait_seconds_sum 4.0",
    ]


def test_the_help_is_one_line() -> None:
    assert "".join(pieces(Family(READY))).splitlines() == [
        "# HELP aim_ready Whether it is \\\\ ready,\\nor not",
        "# TYPE aim_ready gauge",
    ]


@pytest.mark.parametrize(("value", "want"), [(math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (2, "2.0")])
def test_figures_are_written_as_prometheus_reads_them(value: float, want: str) -> None:
    assert "".join(pieces(Family(TURNS, figures=[((), value)]))).split()[-1] == want


def test_many_rows_come_in_pieces_that_end_with_a_line() -> None:
    rows = [((str(number), ""), float(number)) for number in range(3 * ROWS_A_PIECE)]
    found = list(pieces(Family(READY, figures=rows)))
    assert [piece.count("\n") for piece in found] == [2, ROWS_A_PIECE, ROWS_A_PIECE, ROWS_A_PIECE]
    assert all(piece.endswith("\n") for piece in found)


def test_a_row_with_another_number_of_labels_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"aim_ready: a row has the labels \('node-0',\); give one for each of node, mod"
    ):
        Family(READY, figures=[(("node-0",), 1.0)])
