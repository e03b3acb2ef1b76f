import re

import pytest

from controller.runtime.instrument import gauge
from dashboards.queries import panels
from dashboards.variables import choices
from tests.dashboards.chosen import BUILT_IN, Board, variables
from tests.dashboards.inference import known, selectors
from tests.dashboards.test_files import BOARDS

CHAIN = ["cluster", "namespace", "service"]
ASKED = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")
A = gauge("a", "1", (), ("namespace", "service"), "")
B = gauge("b", "1", (), ("namespace",), "")


@BOARDS
def test_the_source_comes_first_then_cluster_namespace_and_service_in_their_order(board: Board) -> None:
    names = variables(board)
    assert names[:2] == ["datasource", "cluster"]
    assert [name for name in names if name in CHAIN] == CHAIN


@BOARDS
def test_everything_is_chosen_at_first_also_what_lacks_the_label(board: Board) -> None:
    for one in board["templating"]["list"]:
        if one["type"] == "query":
            assert one["current"]["value"] == ["$__all"]
            assert (one["includeAll"], one["multi"], one["allValue"]) == (True, True, ".*")
            assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert one["refresh"] == 2, "what there is to choose changes with the time that is shown"


@BOARDS
def test_what_can_be_chosen_is_told_within_what_was_chosen_before(board: Board) -> None:
    before: set[str] = set()
    for one in board["templating"]["list"]:
        if one["type"] != "query":
            continue
        found = ASKED.fullmatch(one["query"]["query"])
        assert found is not None
        assert found["label"] == one["name"]
        (selector,) = selectors(found["series"])
        named = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        metrics = named.pop("__name__", selector.name or "").split("|")
        assert named.keys() <= before
        assert all(value == f"${name}" for name, value in named.items())
        for metric in metrics:
            assert {one["name"], *named} <= known()[metric].labels, metric
        before.add(one["name"])


@BOARDS
def test_the_usual_quantile_is_one_of_those_offered(board: Board) -> None:
    for one in board["templating"]["list"]:
        if one["type"] == "custom":
            assert one["current"]["value"] in [option["value"] for option in one["options"]]
            assert one["query"].split(",") == [option["value"] for option in one["options"]]
            assert [option["value"] for option in one["options"] if option["selected"]] == [one["current"]["value"]]


@BOARDS
def test_rates_look_back_as_grafana_says(board: Board) -> None:
    looks_back = re.compile(r"\}\[(.+?)\]")
    ranges = {found for panel in panels(board) for one in panel["targets"] for found in looks_back.findall(one["expr"])}
    assert ranges
    assert ranges <= {f"${name}" for name in BUILT_IN}


def test_values_of_several_metrics_are_asked_for_at_once() -> None:
    cluster, namespace = choices({"cluster": [A], "namespace": [A, B]})
    assert cluster.build().query == {"query": "label_values(a{}, cluster)", "refId": "Variable-cluster"}
    query = namespace.build().query
    assert isinstance(query, dict)
    assert query["query"] == 'label_values({cluster=~"$cluster", __name__=~"a|b"}, namespace)'


def test_a_metric_without_the_label_is_refused() -> None:
    with pytest.raises(ValueError, match="b has no label service: take it out of service's"):
        choices({"cluster": [A], "namespace": [A], "service": [A, B]})
