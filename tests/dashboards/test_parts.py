"""Boards, tables, levels and queries by themselves."""

import doctest
import importlib
import pkgutil

import pytest
from grafana_foundation_sdk.builders.timeseries import Panel

import dashboards
from controller.runtime.instrument import gauge
from dashboards.board import About, Section, board, written
from dashboards.draw.filling import UnknownVariable
from dashboards.levels import falling, limit, rising, steps
from dashboards.panels import Caption, Query, graph
from dashboards.queries import panels, queries
from dashboards.tables import Figure, Key, grid
from dashboards.variables import choices

UP = gauge("up", "1", (), ("node",), "")
ABOUT = About("example", "Example", "Shows little.")
MODULES = [info.name for info in pkgutil.walk_packages(dashboards.__path__, "dashboards.")]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_and_its_example_runs(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert doctest.testmod(module).failed == 0


def example(number: int, title: str) -> Panel:
    return graph(Caption(number, title, "Shows it.", "short"), Query("up"))


def test_two_panels_of_one_number_are_refused() -> None:
    sections = [Section(1, "Now", [example(7, "First"), example(7, "Second")])]
    with pytest.raises(ValueError, match="Example: Second has the number 7 of First"):
        board(ABOUT, choices({"cluster": [UP]}), sections)


def test_the_same_dashboard_gives_the_same_text() -> None:
    one, other = (board(ABOUT, choices({"cluster": [UP]}), [Section(1, "Now", [example(7, "It")])]) for _ in range(2))
    assert written(one) == written(other)
    assert written(one).endswith("}\n")


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (rising(1, 2), [(None, "green"), (1, "orange"), (2, "red")]),
        (falling(1, 2), [(None, "red"), (1, "orange"), (2, "green")]),
        (limit(3), [(None, "green"), (3, "red")]),
    ],
)
def test_levels_as_grafana_has_them(levels: dashboards.levels.Levels, expected: list[tuple[float | None, str]]) -> None:
    assert [(step.value, step.color) for step in steps(levels)] == expected


def columns(figures: list[Figure]) -> dict[str, str]:
    panel = grid(Caption(1, "It", "Shows it.", "short"), [Key("node", "Node")], figures).build()
    assert panel.transformations is not None
    options = panel.transformations[1].options
    assert isinstance(options, dict)
    return dict(options["renameByName"])


def test_values_of_one_query_have_no_letter_and_those_of_more_have() -> None:
    one, other = Figure("Up", "up", "short"), Figure("Down", "1 - up", "short")
    assert columns([one]) == {"node": "Node", "Value": "Up"}
    assert columns([one, other]) == {"node": "Node", "Value #A": "Up", "Value #B": "Down"}


def test_panels_of_rows_that_are_folded_are_found() -> None:
    inner = {"type": "stat", "title": "Inner", "targets": [{"expr": "up"}]}
    folded = {"title": "Example", "panels": [{"type": "row", "title": "Folded", "panels": [inner]}]}
    assert list(panels(folded)) == [inner]


def test_a_variable_without_a_value_is_named() -> None:
    asks = {"title": "Example", "panels": [{"type": "stat", "title": "It", "targets": [{"expr": 'up{node="$node"}'}]}]}
    with pytest.raises(UnknownVariable, match="node"):
        queries(asks, {"cluster": ".*"})
