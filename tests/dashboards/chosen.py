"""The committed dashboards, with something chosen for each of their variables."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dashboards.queries import PanelQuery, committed, panels, queries

COMMITTED = committed()
BUILT_IN = {"__rate_interval": "1m", "__range": "1h", "__interval": "15s"}
EVERYTHING = {"quantile": "0.95"}
NAMED = re.compile(r"\$\{?(\w+)")

Board = Mapping[str, Any]


def variables(board: Board) -> list[str]:
    """The names of a dashboard's variables."""
    return [one["name"] for one in board["templating"]["list"]]


def all_chosen(board: Board) -> dict[str, str]:
    """A text for each variable that a query of the dashboard may name, as Grafana puts it with All chosen."""
    return {name: EVERYTHING.get(name, ".*") for name in variables(board)} | BUILT_IN


def asked(board: Board) -> list[PanelQuery]:
    """Each query with everything chosen."""
    return queries(board, all_chosen(board))


def targets(board: Board) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], str]]:
    """Each panel, each of its targets, and the query of it with everything chosen."""
    flat = ((panel, target) for panel in panels(board) for target in panel["targets"])
    for (panel, target), query in zip(flat, asked(board), strict=True):
        yield panel, target, query.expr
