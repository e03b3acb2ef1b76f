"""Metrics go one way: declared in a table, told by `controller.telemetry`, the one room that knows how they are sent."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, SHIPPED, files, module

#: What else would make series past the table: the client's own classes, and the SDK with its exporters.
KEPT = ("prometheus_client", "opentelemetry.sdk", "opentelemetry.exporter")
MAKERS = {
    *("create_counter", "create_up_down_counter", "create_histogram", "create_gauge"),
    *("create_observable_counter", "create_observable_up_down_counter", "create_observable_gauge"),
}


def imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def kept_to_telemetry(text: str) -> set[str]:
    return {kept for name in imported(text) for kept in KEPT if name == kept or name.startswith(f"{kept}.")}


def not_as_declared(text: str) -> list[str]:
    """Names and units of instruments that are made otherwise than a table declares them to OpenTelemetry."""
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    made = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in MAKERS]
    names = ([*call.args, *(word.value for word in call.keywords if word.arg == "name")][:1] for call in made)
    wrong = [ast.unparse(name) for found in names for name in found if not ast.unparse(name).endswith(".told_name")]
    words = [ast.unparse(word) for call in made for word in [*call.args, *(given.value for given in call.keywords)]]
    return wrong + [word for word in words if word.endswith(".unit")]


@pytest.mark.parametrize(
    "line",
    [
        "from prometheus_client import Counter",
        "import prometheus_client.core",
        "from opentelemetry.sdk.metrics import MeterProvider",
        "from opentelemetry.sdk import metrics",
        "from opentelemetry.exporter.prometheus import PrometheusMetricReader",
    ],
)
def test_such_an_import_is_noticed(line: str) -> None:
    assert kept_to_telemetry(line)


def test_only_telemetry_knows_how_metrics_are_told() -> None:
    apart = [path for path in files(*SHIPPED) if not module(path).startswith("controller.telemetry")]
    assert len(apart) > 100
    assert {module(path): found for path in apart if (found := kept_to_telemetry(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ('meter.create_counter("aim_x_total")', ["'aim_x_total'"]),
        ("meter.create_observable_gauge(name=name)", ["name"]),
        ("meter.create_counter(REVIEWS.name)", ["REVIEWS.name"]),
        ("meter.create_observable_gauge(of.told_name, [read], of.unit)", ["of.unit"]),
        ("meter.create_counter(REVIEWS.told_name, REVIEWS.told_unit)", []),
    ],
)
def test_what_no_table_declares_is_noticed(line: str, want: list[str]) -> None:
    assert not_as_declared(line) == want


def test_every_instrument_is_made_as_a_table_declares_it() -> None:
    found: dict[Path, list[str]] = {path: not_as_declared(path.read_text()) for path in files(*SHIPPED)}
    assert {str(path.relative_to(ROOT)): names for path, names in found.items() if names} == {}
