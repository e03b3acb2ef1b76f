"""Panels as people read them: placed without holes, told what they show, coloured by what it means."""

import json
import re

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from controller.entrypoints.main import AT_ONCE, VERBS
from dashboards.draw.figures import DRAWN
from dashboards.draw.units import text
from dashboards.queries import panels
from tests.dashboards.chosen import Board
from tests.dashboards.test_files import BOARDS

COLUMNS = 24
ASKED_FOR_NOW = {"stat", "bargauge", "table"}


@BOARDS
def test_grafanas_own_types_read_it_without_loss(board: Board) -> None:
    register_default_plugins()
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(dict(board)))) == board


@BOARDS
def test_each_panel_says_what_it_shows(board: Board) -> None:
    titles = [panel["title"] for panel in panels(board)]
    assert len(titles) == len(set(titles))
    for panel in panels(board):
        assert panel["description"].endswith("."), panel["title"]
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


@BOARDS
def test_commands_in_descriptions_are_there(board: Board) -> None:
    for panel in panels(board):
        for command in re.findall(r"`([^`]+)`", panel["description"]):
            program, verb, *_ = command.split()
            there = {"aim-gpu": {*VERBS, *AT_ONCE}, "kubectl": {"get", "describe", "top", "logs"}}
            assert verb in there.get(program, ()), f"{panel['title']}: {command}"


@BOARDS
def test_panels_fill_their_lines_and_none_lies_on_another(board: Board) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
        for cell in (
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]
    lines = {y for _, y in taken}
    assert lines == set(range(len(lines)))
    assert len(taken) == COLUMNS * len(lines), "a line has a hole"


@BOARDS
def test_what_is_told_of_now_is_asked_for_now(board: Board) -> None:
    for panel in panels(board):
        for target in panel["targets"]:
            assert target["instant"] is (panel["type"] in ASKED_FOR_NOW), panel["title"]
            assert target["range"] is not target["instant"]
            expected = {"table": "table", "heatmap": "heatmap"}.get(panel["type"])
            assert target.get("format") == expected, panel["title"]


@BOARDS
def test_graphs_begin_at_zero_and_shares_end_at_one(board: Board) -> None:
    for panel in panels(board):
        if panel["type"] not in ("timeseries", "bargauge"):
            continue
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["min"] == 0, panel["title"]
        assert (defaults.get("max") == 1) is (defaults["unit"] == "percentunit"), panel["title"]


@BOARDS
def test_graphs_have_a_legend_with_figures_and_show_all_lines_at_a_moment(board: Board) -> None:
    for panel in panels(board):
        if panel["type"] == "timeseries":
            assert panel["options"]["legend"]["showLegend"], panel["title"]
            assert panel["options"]["legend"]["displayMode"] == "table"
            assert panel["options"]["legend"]["calcs"]
            assert panel["options"]["tooltip"] == {"mode": "multi", "sort": "desc"}


@BOARDS
def test_colours_change_at_rising_values(board: Board) -> None:
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] in ("stat", "bargauge"):
            assert defaults["color"] == {"mode": "thresholds"}, panel["title"]
        if "thresholds" not in defaults:
            assert panel["type"] not in ("stat", "bargauge"), panel["title"]
            continue
        steps = defaults["thresholds"]["steps"]
        assert steps[0]["value"] is None, "the first is from minus infinity"
        values = [step["value"] for step in steps[1:]]
        assert values == sorted(set(values)), panel["title"]
        assert len({step["color"] for step in steps}) > 1 or steps[0]["color"] == "blue", panel["title"]


@BOARDS
def test_states_are_named_and_coloured(board: Board) -> None:
    for panel in panels(board):
        if panel["type"] == "state-timeline":
            (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
            assert mapping["options"].keys() == {"0", "1"}, panel["title"]
            assert mapping["options"]["1"]["color"] != mapping["options"]["0"]["color"]


@BOARDS
def test_columns_of_a_table_are_named_and_stand_in_order(board: Board) -> None:
    for panel in panels(board):
        if panel["type"] != "table":
            continue
        merge, organize = panel["transformations"]
        assert merge == {"id": "merge", "options": {}}
        texts, order = organize["options"]["renameByName"], organize["options"]["indexByName"]
        assert organize["options"]["excludeByName"] == {"Time": True}
        assert len(set(texts.values())) == len(texts), panel["title"]
        assert sorted(order.values()) == list(range(len(order)))
        assert (
            max(order[name] for name in order if not name.startswith("Value")) == len(order) - len(panel["targets"]) - 1
        )
        assert order.keys() == texts.keys()
        letters = (
            [f"Value #{target['refId']}" for target in panel["targets"]] if len(panel["targets"]) > 1 else ["Value"]
        )
        assert set(letters) == {name for name in texts if name.startswith("Value")}, panel["title"]
        sorted_by = [one["displayName"] for one in panel["options"].get("sortBy", [])]
        overridden = [one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]]
        assert set(sorted_by) | set(overridden) <= set(texts.values()), panel["title"]


@BOARDS
def test_the_tool_that_draws_knows_every_kind_of_panel_and_unit(board: Board) -> None:
    for panel in panels(board):
        assert panel["type"] == "table" or panel["type"] in DRAWN, panel["title"]
        assert text(1, panel["fieldConfig"]["defaults"]["unit"]), panel["title"]
