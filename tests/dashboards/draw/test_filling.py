from typing import Any

import pytest

from dashboards.draw.filling import Span, UnknownVariable, chosen, filled, named

HOUR = Span(0.0, 3600.0, 15.0)
BOARD: dict[str, Any] = {
    "title": "Overview",
    "templating": {
        "list": [
            {"name": "namespace", "allValue": ".*", "current": {"value": ["$__all"]}},
            {"name": "quantile", "current": {"value": "0.95"}},
        ]
    },
}


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        pytest.param('a{n=~"$namespace"}', 'a{n=~"team-a"}', id="bare"),
        pytest.param('a{n=~"${namespace}"}', 'a{n=~"team-a"}', id="in braces"),
        pytest.param('a{n=~"${namespace:regex}"}', 'a{n=~"team-a"}', id="with a format"),
        pytest.param("rate(a[$__rate_interval])", "rate(a[60s])", id="a rate has four collections"),
        pytest.param("a", "a", id="none"),
    ],
)
def test_variables_are_replaced(expression: str, want: str) -> None:
    assert filled(expression, {"namespace": "team-a", **HOUR.built_in()}) == want


def test_a_variable_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownVariable, match=r"\$node in a\{node=\"\$node\"\}: there are namespace"):
        filled('a{node="$node"}', {"namespace": "x"})


def test_values_are_those_at_first_unless_asked() -> None:
    assert chosen(BOARD, {}) == {"namespace": ".*", "quantile": "0.95"}
    assert chosen(BOARD, {"namespace": "team-a"}) == {"namespace": "team-a", "quantile": "0.95"}
    with pytest.raises(UnknownVariable, match=r"pod.*Overview has namespace, quantile"):
        chosen(BOARD, {"pod": "x"})


@pytest.mark.parametrize(
    ("span", "step", "rate"),
    [
        pytest.param(Span(0, 60, 1), 1, "4s", id="a minute at a second each"),
        pytest.param(Span(0, 86400, 15), 288, "303s", id="a day: longer than four collections"),
    ],
)
def test_points_are_no_closer_than_collections(span: Span, step: float, rate: str) -> None:
    assert span.step_seconds == step
    assert span.built_in()["__rate_interval"] == rate


@pytest.mark.parametrize(
    ("legend", "labels", "want"),
    [
        pytest.param("{{service}} {{ code }}", {"service": "chat", "code": "200"}, "chat 200", id="labels in the text"),
        pytest.param("{{service}}", {}, "all", id="nothing left"),
        pytest.param("", {"b": "2", "a": "1", "__name__": "x"}, "a=1, b=2", id="no legend: every label"),
        pytest.param("__auto", {"__name__": "x"}, "x", id="no label: the name"),
    ],
)
def test_series_are_named_by_the_legend(legend: str, labels: dict[str, str], want: str) -> None:
    assert named(legend, labels) == want
