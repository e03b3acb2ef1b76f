"""When a panel counts as showing something, on made-up answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from e2e.prometheus.api import Api, Series
from e2e.prometheus.errors import QueryRefused
from tests.integration.metrics.panels import empty, values

SECONDS = 20.0

STILL = [Series({}, [(float(at), 1.0) for at in range(21)])]
MOVING = [*STILL, Series({"a": "b"}, [(float(at), float(at)) for at in range(21)])]
COMES = [Series({}, [(float(at), 1.0) for at in range(10, 21)])]


@dataclass(frozen=True)
class Answers(Api):
    """Answers each expression with what the test gives; without an answer it refuses."""

    port: int = 0
    found: Mapping[str, Sequence[Series]] = field(default_factory=dict)

    def over(self, expression: str, start: float, end: float, step_seconds: float = 1.0) -> list[Series]:
        assert (start, end) == (0, SECONDS)
        if expression not in self.found:
            raise QueryRefused(f"{expression}: no")
        return list(self.found[expression])


def dashboard(*panels: tuple[str, Sequence[str]]) -> dict[str, Any]:
    made = [
        {"type": "stat", "title": title, "targets": [{"expr": expression} for expression in expressions]}
        for title, expressions in panels
    ]
    return {"panels": made, "templating": {"list": [{"name": "cluster"}, {"name": "quantile"}]}}


@pytest.mark.parametrize(
    ("answers", "want"),
    [
        pytest.param({"x": MOVING}, [], id="a series moves"),
        pytest.param({"x": COMES}, [], id="a series comes"),
        pytest.param({"x": STILL, "y": MOVING}, [], id="one of two queries moves"),
        pytest.param({"x": STILL}, ["P: none of its data ever changes"], id="nothing moves"),
        pytest.param({"x": MOVING, "y": []}, ["P: no data: y"], id="one of two queries has no data"),
        pytest.param({"x": []}, ["P: no data: x", "P: none of its data ever changes"], id="no data"),
    ],
)
def test_what_a_panel_lacks_is_told(answers: Mapping[str, Sequence[Series]], want: list[str]) -> None:
    assert list(empty(Answers(found=answers), dashboard(("P", list(answers))), 0, SECONDS)) == want


def test_a_query_that_is_refused_is_told_with_what_was_said() -> None:
    assert list(empty(Answers(), dashboard(("P", ["x"])), 0, SECONDS)) == ["P: x: no"]


def test_every_variable_has_a_value() -> None:
    made = values(dashboard(), 61.4)

    assert (made["cluster"], made["quantile"], made["__range"]) == (".*", "0.95", "61s")
