"""The rows of a whole cluster, and that only what changed is made anew."""

import json
from typing import Any

import pytest

from controller.ui.document import MOST_ENDED, SECTIONS, Reader
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan
from tests.controller.ui.fleet import DRAINED, FleetOnPaper, fleet, sized

Row = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(Reader(fleet()).read())


def partitions(row: Row) -> list[Row]:
    return [one for gpu_row in row["gpus"] for one in gpu_row["partitions"]]


def test_it_is_json_and_the_same_for_the_same_cluster(document: dict[str, Any]) -> None:
    assert tuple(document) == SECTIONS
    assert json.dumps(document) == json.dumps(Reader(fleet()).read())


def test_a_node_has_its_gpus_with_partitions_by_size(document: dict[str, Any]) -> None:
    node = document["nodes"]["worker-0"]
    first = node["gpus"][0]
    assert (node["product"], len(node["gpus"]), first["mode"], len(first["partitions"])) == ("MI300X", 8, "CPX/NPS4", 8)
    assert first["bytes"] == 196592 << 20
    assert {one["bytes"] for one in first["partitions"]} == {24574 << 20}


def test_a_partition_names_the_claim_that_holds_it(document: dict[str, Any]) -> None:
    held = [one for one in partitions(document["nodes"]["worker-0"]) if one["holder"]]
    assert held
    for one in held:
        assert document["claims"][one["claim"]]["node"] == "worker-0"


def test_trouble_is_told_where_it_is(document: dict[str, Any]) -> None:
    nodes = document["nodes"]
    health = {name: {one["health"] for one in partitions(row)} for name, row in nodes.items()}
    assert health["worker-0"] == {"healthy"}
    assert health["worker-1"] == {"healthy", "unhealthy"}
    assert health["worker-2"] == {"healthy", "quarantined"}
    assert [name for name, row in nodes.items() if not row["fresh"]] == ["worker-3"]
    assert [one["plan"] for one in nodes["worker-1"]["gpus"]] == [None] * 5 + ["plan-worker-1-1"] + [None] * 2


def test_a_claim_that_waits_says_why_and_what_would_help(document: dict[str, Any]) -> None:
    row = document["claims"]["team-a/aim-writer"]
    waiting = row["waiting"]
    assert (row["phase"], row["priority"], row["bytes"]) == ("Pending", 100, sized(row["model"])[0])
    assert (waiting["reason"], waiting["message"]) == ("NoFreePartition", waiting["lines"][0])
    assert waiting["nearest"].startswith("put worker-1 0000:06:00.0 into SPX/NPS1 (now CPX/NPS1)")
    assert any(line.startswith("- 4 PartitionHeld") for line in waiting["lines"])


def test_services_say_how_well_they_keep_their_objectives(document: dict[str, Any]) -> None:
    states = {row["name"]: row["state"] for row in document["services"].values() if row["state"] != "none"}
    assert states == {"chat": "kept", "code": "burning", "search": "missed", "draft": "kept"}
    assert document["services"]["team-b/assist"]["state"] == "none"


def test_plans_say_in_which_step_they_are(document: dict[str, Any]) -> None:
    running, waiting = document["plans"]["plan-worker-1-1"], document["plans"]["plan-last-1"]
    assert [(step["name"], step["end"] is None) for step in running["steps"]] == [
        ("Draining", False),
        ("Quiescing", False),
        ("Applying", True),
    ]
    assert (running["standing"], waiting["standing"], waiting["awaitsApproval"]) == ("running", "waiting", True)
    assert running["gpus"] == [{"bdf": bdf(DRAINED), "from": "CPX/NPS1", "to": "SPX/NPS1"}]
    assert running["moves"][0]["pod"] == "team-b/assist-7"


def test_rows_of_which_nothing_changed_are_the_same_objects() -> None:
    fed = fleet()
    reader = Reader(fed)
    before = reader.read()
    key = fed.hold("worker-0", gpu(0, "CPX/NPS4"), 3, ("more", "team-a", "Qwen/Qwen3-4B"))
    after = reader.read()
    others = {
        (section, name)
        for section in SECTIONS
        for name, row in after[section].items()
        if before[section].get(name) is not row
    }
    assert others == {("nodes", "worker-0"), ("claims", key)}


def test_of_plans_that_ended_the_latest_are_shown() -> None:
    fed = FleetOnPaper()
    for number in range(MOST_ENDED + 3):
        ended = plan(f"p{number}", phase="Succeeded", applied_until=f"2026-01-01T00:0{number}:00Z")
        fed.put(fed.cluster.plans, ended)
    fed.put(fed.cluster.plans, plan("open"))
    shown = Reader(fed).read()["plans"]
    assert sorted(shown) == ["open", *(f"p{number}" for number in range(3, MOST_ENDED + 3))]


def test_a_node_of_which_decisions_see_nothing_yet_is_shown_as_not_ready() -> None:
    fed = FleetOnPaper()
    fed.put(fed.cluster.gpu_nodes, gpu_node("late", gpu(0)))
    row = Reader(fed).read()["nodes"]["late"]
    assert (row["ready"], row["fresh"], partitions(row)[0]["health"]) == (False, False, "unknown")


def test_the_fleet_of_tests_is_one_that_the_product_allows(document: dict[str, Any]) -> None:
    nodes, claims = document["nodes"].values(), document["claims"]
    for node in nodes:
        assert len({one["mode"].split("/")[1] for one in node["gpus"]}) == 1, "the memory mode is a node's"
        for one in node["gpus"]:
            assert not (one["plan"] == "plan-worker-1-1" and any(each["holder"] for each in one["partitions"]))
    held = [one for node in nodes for one in partitions(node) if one["claim"]]
    assert all(claims[one["claim"]]["bytes"] <= one["bytes"] for one in held)
    for plan_row in document["plans"].values():
        modes = {one["bdf"]: one["mode"] for one in document["nodes"][plan_row["node"]]["gpus"]}
        assert all(modes[one["bdf"]] == one["from"] for one in plan_row["gpus"])
