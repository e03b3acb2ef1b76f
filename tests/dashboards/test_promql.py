import pytest

from controller.runtime.instrument import Instrument, counter, gauge, histogram
from dashboards.promql import (
    RANGE,
    SOME,
    Scope,
    amount,
    bottom,
    edges,
    highest,
    increase,
    labelled,
    lowest,
    marked,
    mean,
    missed,
    none_of,
    of_instances,
    one_of,
    per_minute,
    quantile,
    rate,
    top,
    total,
)

UP = gauge("up", "1", (), ("node", "state"), "")
SENT = counter("sent", "By", (), ("service",), "")
TOOK = histogram("took", "s", (), ("service",), "", (0.5, 1.0, 2.5))
SCOPE = Scope(("cluster", "node", "service"))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(SCOPE.series(UP), 'up{cluster=~"$cluster", node=~"$node"}', id="what was chosen of its labels"),
        pytest.param(Scope(()).series(UP), "up{}", id="nothing to choose"),
        pytest.param(
            SCOPE.series(SENT), 'sent_bytes_total{cluster=~"$cluster", service=~"$service"}', id="exported name"
        ),
        pytest.param(Scope(()).series(UP, state="on"), 'up{state="on"}', id="a value"),
        pytest.param(Scope(()).series(UP, state=SOME), 'up{state!=""}', id="any value"),
        pytest.param(Scope(()).series(UP, state=one_of("a", "b")), 'up{state=~"a|b"}', id="one of values"),
        pytest.param(Scope(()).series(UP, state=none_of("a", "b")), 'up{state!~"a|b"}', id="none of values"),
        pytest.param(Scope(()).buckets(TOOK, le="1"), 'took_seconds_bucket{le="1"}', id="buckets, by their bounds"),
        pytest.param(Scope(()).count(TOOK), "took_seconds_count{}", id="count"),
        pytest.param(SCOPE.recorded("a:b", ("node",)), 'a:b{cluster=~"$cluster", node=~"$node"}', id="recorded"),
        pytest.param(rate("x"), "rate(x[$__rate_interval])", id="rate"),
        pytest.param(rate("x", "5m"), "rate(x[5m])", id="rate over a time of one's own"),
        pytest.param(per_minute("x"), "60 * rate(x[$__rate_interval])", id="a minute's growth"),
        pytest.param(increase("x"), f"increase(x[{RANGE}])", id="growth over all that is shown"),
        pytest.param(total("x", ("a",)), "sum by (cluster, a) (x)", id="sum"),
        pytest.param(highest("x", ()), "max by (cluster) (x)", id="highest"),
        pytest.param(lowest("x", ()), "min by (cluster) (x)", id="lowest"),
        pytest.param(mean("x", ()), "avg by (cluster) (x)", id="mean"),
        pytest.param(amount("x", ()), "count by (cluster) (x)", id="amount"),
        pytest.param(missed("x"), "1 - x", id="missed"),
        pytest.param(marked("x", "a", "b"), 'label_replace(x, "a", "b", "", "")', id="one more label"),
        pytest.param(top(3, "x"), "topk(3, x)", id="top"),
        pytest.param(bottom(3, "x"), "bottomk(3, x)", id="bottom"),
        pytest.param(
            quantile("0.9", "x", ("a",)),
            "histogram_quantile(0.9, sum by (cluster, le, a) (rate(x[$__rate_interval])))",
            id="quantile",
        ),
        pytest.param(
            labelled("x", "y", ("a",), "b", "c"), "x * on (cluster, a) group_left (b, c) y", id="labels of another"
        ),
        pytest.param(of_instances("x", "y"), "(x and on (cluster, job, instance) y)", id="of some processes"),
    ],
)
def test_expressions(made: str, expected: str) -> None:
    assert made == expected


def test_bounds_that_all_have_are_found_however_they_are_written() -> None:
    assert edges(TOOK) == one_of("0[.]5", "1([.]0)?", "2[.]5", "[+]Inf")


@pytest.mark.parametrize("instrument", [UP, SENT, TOOK])
def test_a_label_that_a_metric_has_not_got_is_refused(instrument: Instrument) -> None:
    ask = Scope(()).buckets if instrument is TOOK else Scope(()).series
    with pytest.raises(
        ValueError, match=rf"{instrument.exported_name}.* has no label colour: it has {instrument.labels[0]}"
    ):
        ask(instrument, colour="red")


def test_a_recorded_label_is_checked_too() -> None:
    with pytest.raises(ValueError, match="a:b has no label colour"):
        Scope(()).recorded("a:b", ("node",), colour="red")


def test_a_histogram_is_selected_by_its_parts() -> None:
    with pytest.raises(ValueError, match="took is a histogram"):
        Scope(()).series(TOOK)


@pytest.mark.parametrize("part", ["buckets", "count"])
def test_what_is_no_histogram_has_no_parts(part: str) -> None:
    with pytest.raises(ValueError, match="up is a gauge"):
        getattr(Scope(()), part)(UP)
