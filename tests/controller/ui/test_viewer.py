"""What others' eyes see: counts where they may not see names."""

import json
from typing import Any

import pytest

from controller.ui.document import Reader
from controller.ui.viewer import EVERYTHING, SOMEBODY, Sight, Viewer, Whole, unnamed, visible
from tests.controller.ui.fleet import fleet

TEAM_A = Viewer(frozenset({"team-a"}), plans=False)


@pytest.fixture(scope="module")
def document() -> Any:
    return Reader(fleet()).read()


def test_who_may_see_everything_gets_the_very_rows(document: Any) -> None:
    shown = visible(document, EVERYTHING)
    assert all(shown[name][key] is row for name in document for key, row in document[name].items())
    assert shown["others"] == {}


def test_names_of_other_namespaces_are_nowhere(document: Any) -> None:
    shown = json.dumps(visible(document, TEAM_A))
    assert "team-a" in shown
    assert [word for word in ("team-b", "team-c", "assist", "search", "vision", "draft") if word in shown] == []


def test_rows_that_are_the_same_are_shown_by_the_same_and_others_are_made_anew(document: Any) -> None:
    sight = Sight(TEAM_A)
    before = sight.of(Whole(document))
    node, plan = next(iter(document["nodes"])), next(iter(document["plans"]))
    nodes = {**document["nodes"], node: {**document["nodes"][node], "gpus": []}}
    after = sight.of(Whole({**document, "nodes": nodes}))
    assert [name for name in nodes if after["nodes"][name] is not before["nodes"][name]] == [node]
    assert after["nodes"][node]["gpus"] == []
    assert after["plans"][plan] is before["plans"][plan]
    gone = {name: row for name, row in nodes.items() if name != node}
    assert sight.of(Whole({**document, "nodes": gone}))["nodes"].keys() == gone.keys()
    assert sight.of(Whole(document)) == visible(document, TEAM_A), "what was gone and is there again is shown as it is"


def test_what_is_hidden_is_counted(document: Any) -> None:
    shown = visible(document, TEAM_A)
    hidden = len(document["claims"]) - len(shown["claims"])
    assert shown["others"] == {"claims": hidden, "waiting": 1, "services": 4}
    assert hidden > 100


def test_partitions_of_others_are_held_by_nobody_who_is_named(document: Any) -> None:
    def held(found: Any) -> list[tuple[str | None, str | None]]:
        return [
            (one["holder"], one["claim"])
            for node in found["nodes"].values()
            for gpu in node["gpus"]
            for one in gpu["partitions"]
        ]

    everything, seen = held(document), held(visible(document, TEAM_A))
    assert [holder for holder, _ in seen] == [holder for holder, _ in everything]
    assert {claim for _, claim in seen if claim} == {claim for _, claim in everything if claim and "team-a/" in claim}


def test_plans_show_hardware_and_steps_and_no_texts(document: Any) -> None:
    row = visible(document, TEAM_A)["plans"]["plan-worker-1-1"]
    assert (row["phase"], len(row["steps"]), len(row["moves"])) == ("Applying", 3, 1)
    assert (row["reason"], row["message"], row["claim"], row["moves"][0]["pod"]) == ("", "", None, "")


def test_who_may_read_plans_is_told_their_texts(document: Any) -> None:
    row = visible(document, Viewer(frozenset({"team-a"})))["plans"]["plan-worker-1-1"]
    assert row["moves"][0]["pod"] == "team-b/assist-7"


def test_who_may_not_list_nodes_is_told_how_many_there_are_and_sees_what_is_theirs(document: Any) -> None:
    shown = visible(document, Viewer(frozenset({"team-a"}), plans=False, nodes=False))
    assert (shown["nodes"], shown["plans"]) == ({}, {})
    counts = {name: len(document[name]) for name in ("nodes", "plans")}
    assert {name: shown["others"][name] for name in counts} == counts
    assert {row["namespace"] for row in shown["claims"].values()} == {"team-a"}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("pod team-b/assist-7 leaves", f"pod {SOMEBODY} leaves"),
        ("team-a/chat-1 and team-b/assist-7.", f"team-a/chat-1 and {SOMEBODY}."),
        ("meta-llama/Llama-3 on CPX/NPS4", "meta-llama/Llama-3 on CPX/NPS4"),
        ("x.team-b/assist", "x.team-b/assist"),
    ],
)
def test_texts_name_nobody_of_a_namespace_that_exists_and_is_not_seen(text: str, want: str) -> None:
    found = unnamed({"lines": [text], "count": 3}, TEAM_A, {"team-a", "team-b"}.__contains__)
    assert found == {"lines": [want], "count": 3}
