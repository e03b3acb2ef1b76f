import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from controller.runtime.metrics_text import LONGEST_LINE, Sample, samples


class Everything:
    """Every name is wanted."""

    def __contains__(self, name: object) -> bool:
        return True


def read(page: str) -> list[Sample]:
    return list(samples(page, Everything()))


@pytest.mark.parametrize(
    ("line", "want"),
    [
        pytest.param("up 1", ("up", {}, 1.0), id="without labels"),
        pytest.param("up{} 1", ("up", {}, 1.0), id="with empty braces"),
        pytest.param('vllm:x{a="b",le="+Inf"} 2.5', ("vllm:x", {"a": "b", "le": "+Inf"}, 2.5), id="with labels"),
        pytest.param('x{a="b",} 1', ("x", {"a": "b"}, 1.0), id="with a comma at the end"),
        pytest.param(
            'x{ a = "b" , c="d" }\t1e3  1700000000', ("x", {"a": "b", "c": "d"}, 1000.0), id="spaced, at a time"
        ),
        pytest.param('x{a="} 1, \\"b\\\\\\n"} 2', ("x", {"a": '} 1, "b\\\n'}, 2.0), id="escaped"),
        pytest.param('x{a="\u2028"} 1', ("x", {"a": "\u2028"}, 1.0), id="what other readers take for a line's end"),
        pytest.param("x -Inf\r", ("x", {}, -math.inf), id="of a server that ends lines in its own way"),
    ],
)
def test_a_line_is_read(line: str, want: Sample) -> None:
    assert read(f"# HELP x y\n# TYPE x gauge\n\n{line}\n") == [want]


@pytest.mark.parametrize(
    "line",
    [
        'x{a="b" 1',
        "x{a=b} 1",
        'x{a="b"}',
        "x",
        "x one",
        'x{a="b" c="d"} 1',
        'x{a="b} 1',
        "x 1 2 3",
        "x{,} 1",
        "1x 1",
        "",
    ],
)
def test_what_is_no_sample_is_left_out(line: str) -> None:
    assert read(f"good 1\n{line}\ngood 2") == [("good", {}, 1.0), ("good", {}, 2.0)]


def test_only_what_is_wanted_is_read() -> None:
    page = 'vllm:x 1\nvllm:x_total 2\nvllm:xy 3\nvllm:x{a="b"} 4'
    assert [value for _, _, value in samples(page, {"vllm:x"})] == [1.0, 4.0]


def test_a_line_without_an_end_is_none() -> None:
    long = 'x{a="' + "b" * LONGEST_LINE + '"} 1'
    assert read(f"{long}\nx 2") == [("x", {}, 2.0)]


def test_a_line_made_to_be_slow_costs_no_more_than_its_length() -> None:
    # Each of these once had a pattern tried from every character on: some 0.3 s a line.
    lines = ["x{" + "a" * 8000, 'x{a="' + "\\" * 8001, "x{" + 'a="b" ' * 1300, "x" + " " * 8000 + "{"]
    assert read("\n".join(lines * 100)) == []


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(texts, texts, st.floats()), max_size=6))
def test_what_prometheus_own_library_writes_is_read_as_it_reads_it(rows: list[tuple[str, str, float]]) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("vllm:written", "Help.", ("one", "two"), registry=registry)
    for one, two, value in rows:
        gauge.labels(one, two).set(value)
    page = generate_latest(registry).decode()
    want = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]
    assert repr(read(page)) == repr([Sample(*one) for one in want])
