"""Where clicks lead: every address is one of a dashboard of ours or a page that is there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dashboards.documentation import ROOT
from dashboards.queries import panels
from dashboards.rules.alerts import alerts
from tests.dashboards.chosen import COMMITTED, Board, variables
from tests.dashboards.inference import series_of
from tests.dashboards.test_files import BOARDS

DOCS = Path(__file__).parents[2] / "docs"
FIELD = re.compile(r"\$\{__(?:field\.labels|data\.fields)\.(\w+)\}")
BY_UID = {board["uid"]: board for board in COMMITTED.values()}
ALERTS = {alert.name for alert in alerts()}


def figures(panel: Board) -> Iterator[dict[str, Any]]:
    """The links on a panel's figures."""
    config = panel["fieldConfig"]
    yield from config["defaults"].get("links", [])
    for override in config["overrides"]:
        yield from (link for one in override["properties"] if one["id"] == "links" for link in one["value"])


@BOARDS
def test_dashboards_are_found_by_their_tag_and_take_the_choice_along(board: Board) -> None:
    others, *pages = board["links"]
    assert others["tags"] == board["tags"] == ["aim-gpu-sharing"]
    assert (others["type"], others["includeVars"], others["keepTime"]) == ("dashboards", True, True)
    assert [page["title"] for page in pages] == ["About", "Runbooks"]


def addresses(board: Board) -> Iterator[str]:
    """Every address outside of Grafana."""
    yield from (link["url"] for link in board["links"] if "url" in link)
    for panel in panels(board):
        yield from (link["url"] for link in panel.get("links", []) if not link["url"].startswith("/"))
        yield from (link["url"] for link in figures(panel) if not link["url"].startswith("/"))


@BOARDS
def test_pages_are_in_the_repository(board: Board) -> None:
    for address in addresses(board):
        path = address.removeprefix(f"{ROOT}/").partition("#")[0]
        assert path != address, f"{address} is not below {ROOT}"
        names = [path.replace("${__value.raw}", name) for name in ALERTS]
        assert [name for name in names if not (DOCS / name).exists()] == []


@BOARDS
def test_a_panel_leads_to_a_dashboard_with_all_that_was_chosen(board: Board) -> None:
    for panel in panels(board):
        for link in panel.get("links", []):
            if link["url"].startswith("/"):
                path, _, taken = link["url"].partition("?")
                assert BY_UID[path.removeprefix("/d/")]["title"].endswith(link["title"]), panel["title"]
                assert taken == "${__url_time_range}&${__all_variables}"


def test_each_figure_of_now_on_the_overview_leads_on() -> None:
    for panel in panels(COMMITTED["overview"]):
        if panel["type"] == "stat":
            assert [link["url"].startswith("/d/") for link in panel["links"]] == [True, False], panel["title"]


@BOARDS
def test_a_click_on_a_figure_opens_a_dashboard_with_what_the_figure_is_of(board: Board) -> None:
    for panel in panels(board):
        for link in figures(panel):
            if not link["url"].startswith("/"):
                continue
            split = urlsplit(link["url"])
            aim = BY_UID[split.path.removeprefix("/d/")]
            chosen = dict(parse_qsl(split.query))
            assert {name.removeprefix("var-") for name in chosen} <= set(variables(aim)), panel["title"]
            assert all(part in split.query for part in ("${datasource:queryparam}", "${cluster:queryparam}"))
            assert split.query.endswith("${__url_time_range}")
            found = [
                series_of(target["expr"].replace("$__rate_interval", "1m").replace("$__range", "1h"))
                for target in panel["targets"]
            ]
            labels = frozenset[str]().union(*(one.labels for one in found if one))
            assert set(FIELD.findall(link["url"])) <= labels, panel["title"]
            assert {name.removeprefix("var-"): FIELD.findall(value) for name, value in chosen.items()} == {
                name.removeprefix("var-"): [name.removeprefix("var-")] for name in chosen
            }


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_each_alert_has_a_panel_that_leads_to_its_runbook(alert: str) -> None:
    assert any(address.endswith(f"/{alert}.md") for board in COMMITTED.values() for address in addresses(board))


def test_the_table_of_firing_alerts_shows_all_of_ours() -> None:
    (query,) = [
        target["expr"] for panel in panels(COMMITTED["overview"]) if panel["id"] == 109 for target in panel["targets"]
    ]
    pattern = re.search(r'alertname=~"([^"]+)"', query)
    assert pattern is not None
    assert [name for name in ALERTS if not re.fullmatch(pattern[1], name)] == []
