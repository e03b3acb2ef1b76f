"""Each query asks for what is exported, by labels that it has, and shows it in its unit."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from dashboards.firing import ALERTS
from dashboards.queries import panels
from dashboards.rules.alerts import recordings
from e2e.prometheus.programs import Programs
from tests.dashboards.chosen import BUILT_IN, COMMITTED, NAMED, Board, asked, targets, variables
from tests.dashboards.inference import (
    DECLARED,
    PRODUCT,
    SHARE,
    Wrong,
    choices_in,
    left_out,
    selectors,
    senseless,
    series_of,
)
from tests.dashboards.test_files import BOARDS

LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
UNITS = {
    "1": {"short", "none", "bool_yes_no"},
    SHARE: {"percentunit"},
    "s": {"s"},
    "By": {"bytes"},
    "Cel": {"celsius"},
    "W": {"watt"},
    "1/s": {"reqps", "ops", "cps"},
    "1/min": {"cpm"},
    "bucket of s/s": {"s"},
    "scaled": {"none"},
}
"""What Grafana shows a unit of ours in; the buckets of a spread lie along an axis of seconds."""


QUOTIENTS = {"Tokens of a request"}
"""Of one thing over another, and so no shares."""


@BOARDS
def test_every_query_asks_for_series_that_are_told(board: Board) -> None:
    for query in asked(board):
        found = series_of(query.expr)
        assert found is not None, f"{query.title}: a number"
        assert selectors(query.expr), query.title


def test_every_metric_of_ours_is_on_some_panel() -> None:
    """A panel that shows another one than it was made for leaves its own nowhere."""
    recorded = {one.name: one.expression for one in recordings()}
    shown = {one.name or "" for board in COMMITTED.values() for query in asked(board) for one in selectors(query.expr)}
    shown |= {one.name or "" for name in shown & recorded.keys() for one in selectors(recorded[name])}
    shown |= {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown}
    assert {one.exported_name for one in PRODUCT} - shown == set()


@BOARDS
def test_no_query_shows_one_thing_for_another(board: Board) -> None:
    for query in asked(board):
        assert choices_in(query.expr) == [], query.title


@pytest.mark.parametrize(
    "expression",
    [
        "aim_nobody_exports_this",
        'sum by (cluster) (aim_claims{node="a"})',
        "sum by (cluster, node) (aim_claims)",
        "sum(aim_claims)",
        "sum by (cluster) (aim_scheduler_evictions_total)",
        "sum by (cluster) (rate(aim_claims[1m]))",
        "aim_scheduler_evictions_total > 3",
        "sum by (cluster) (vector(0))",
        "absent(aim_claims)",
        "0 * aim_claims",
        "histogram_quantile(0.9, sum by (cluster) (rate(aim_model_queue_wait_seconds_bucket[1m])))",
        "histogram_quantile(0.9, sum by (cluster, le) (rate(aim_model_requests_total[1m])))",
        "sum by (cluster, phase) (aim_claims) / sum by (cluster) (aim_claims)",
        "sum by (cluster) (aim_claims) / on (node) sum by (cluster) (aim_claims)",
        "sum by (cluster) (aim_claims) * on (cluster) group_left (phase) sum by (cluster) (aim_claims)",
        "sum by (cluster) (aim_gpu_power_watts) - sum by (cluster) (aim_claims)",
    ],
)
def test_a_query_that_means_nothing_would_be_noticed(expression: str) -> None:
    with pytest.raises(Wrong):
        series_of(expression)


@BOARDS
def test_a_panel_that_leaves_out_what_is_well_says_so(board: Board) -> None:
    for panel, _, expr in targets(board):
        vanishing = ALERTS in expr or "degraded" in expr
        said = "othing to show" in panel["description"]
        assert said is bool(vanishing or left_out(expr)), panel["title"]


@BOARDS
def test_amounts_are_added_up_and_of_shares_the_worst_is_shown(board: Board) -> None:
    for query in asked(board):
        assert senseless(query.expr) == [], query.title


@pytest.mark.parametrize(
    "expression",
    [
        "sum by (cluster) (aim_gpu_partition_utilization)",
        "avg by (cluster) (aim_claims)",
        "min by (cluster) (aim_gpu_temperature_celsius)",
        "max by (node) (aim_node_agent_up)",
    ],
)
def test_a_grouping_that_says_another_thing_would_be_noticed(expression: str) -> None:
    assert senseless(expression) == senseless(f"topk(3, {expression})") != []


@pytest.mark.parametrize(
    ("expression", "labels", "unit"),
    [
        ("sum by (cluster, phase) (aim_claims)", {"cluster", "phase"}, "1"),
        ("sum by (cluster) (rate(aim_usage_partition_seconds_total[1m]))", {"cluster"}, "1"),
        ("60 * sum by (cluster) (rate(aim_scheduler_evictions_total[1m]))", {"cluster"}, "1/min"),
        ("topk(3, max by (node) (aim_gpu_temperature_celsius)) > 90", {"node"}, "Cel"),
    ],
)
def test_what_is_inferred_is_right(expression: str, labels: set[str], unit: str) -> None:
    found = series_of(expression)
    assert found is not None
    assert found.labels == frozenset(labels)
    assert found.unit == unit


@BOARDS
def test_figures_are_shown_in_their_units(board: Board) -> None:
    for panel, target, expr in targets(board):
        found = series_of(expr)
        assert found is not None
        unit = "1" if panel["title"] in QUOTIENTS or "burn_rate" in expr else found.unit
        assert unit_of(panel, target) in UNITS[unit], f"{panel['title']}: {unit} of {expr}"


def unit_of(panel: Board, target: Board) -> str:
    """A table's columns have units of their own."""
    if panel["type"] != "table":
        return str(panel["fieldConfig"]["defaults"]["unit"])
    renamed = panel["transformations"][1]["options"]["renameByName"]
    text = renamed.get(f"Value #{target['refId']}") or renamed["Value"]
    (override,) = [one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == text]
    (unit,) = [one["value"] for one in override["properties"] if one["id"] == "unit"]
    return str(unit)


@BOARDS
def test_legends_name_labels_that_series_have_and_all_that_tell_them_apart(board: Board) -> None:
    for panel, target, expr in targets(board):
        if panel["type"] == "table":
            continue
        found = series_of(expr)
        assert found is not None
        named = set(LEGEND.findall(target["legendFormat"]))
        untold = {"mode"} if panel["type"] == "bargauge" else set()
        assert named | untold == found.labels | untold, panel["title"]


@BOARDS
def test_a_table_has_a_column_for_each_label_of_all_its_queries(board: Board) -> None:
    for panel, _, expr in targets(board):
        if panel["type"] == "table":
            found = series_of(expr)
            assert found is not None
            names = set(panel["transformations"][1]["options"]["renameByName"])
            assert {name for name in names if not name.startswith("Value")} == found.labels, panel["title"]


@BOARDS
def test_whatever_is_chosen_filters_every_series_that_can_be_filtered(board: Board) -> None:
    names = set(variables(board))
    for panel in panels(board):
        for target in panel["targets"]:
            plain = target["expr"].replace("$__rate_interval", "1m").replace("$__range", "1h")
            for selector in selectors(plain.replace("$quantile", "0.95")):
                found = series_of(str(selector))
                assert found is not None
                if selector.name == ALERTS:
                    continue  # an alert on a node has no namespace, and is to be seen by whoever chose one
                chosen = {one.name: one.value for one in selector.matchers.matchers if one.value == f"${one.name}"}
                assert chosen.keys() == names & found.labels, f"{panel['title']}: {selector}"


@BOARDS
def test_variables_are_there_and_used(board: Board) -> None:
    texts = [text for panel in panels(board) for text in texts_of(panel)]
    used = {name for text in texts for name in NAMED.findall(text)}
    assert used - BUILT_IN.keys() - {"__field", "__data", "__value", "__url_time_range"} == set(variables(board))


def texts_of(panel: Board) -> list[str]:
    found = [target["expr"] for target in panel["targets"]]
    links = panel["fieldConfig"]["defaults"].get("links", [])
    return [*found, panel["title"], "${datasource}", *(link["url"] for link in links)]


def test_each_metric_of_ours_is_on_a_dashboard() -> None:
    shown = {
        selector.name for board in COMMITTED.values() for query in asked(board) for selector in selectors(query.expr)
    }
    recorded = {"aim_model_request_latency_seconds_bucket", "aim_gpu_partition_memory_bytes"}
    exported = {one.exported_name for one in PRODUCT}
    assert {name for name in exported if not any(str(one).startswith(name) for one in shown | recorded)} == set()
    assert len(DECLARED) > len(PRODUCT) > 50


@pytest.mark.needs_prometheus
@BOARDS
def test_prometheus_parses_every_query(board: Board, tmp_path: Path, prometheus_programs: Programs) -> None:
    rules = [{"record": f"query:{index}", "expr": query.expr} for index, query in enumerate(asked(board))]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(
        [prometheus_programs.promtool, "check", "rules", path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout
