"""What would become of a model: by the code of `aim-gpu plan`, and without a trace on the cluster that is shown."""

from pathlib import Path
from typing import Any

import pytest

from controller.cli import live_plan_view
from controller.cli.documents import Document
from controller.cli.live_cluster import Live
from controller.cli.live_plan import plan_live
from controller.cli.wanted import gather
from controller.placement.scheduler import ModelScheduler
from controller.state.expected import known_claims
from controller.ui.document import Reader
from controller.ui.viewer import EVERYTHING, Viewer
from controller.ui.what_if import BadQuestion, Question, answer
from tests.builders.gpu import gpu
from tests.controller.cli.explain_scenes import SIZING
from tests.controller.ui.fleet import FleetOnPaper, fleet, namespace_object, service

SMALL, HUGE = "Qwen/Qwen3-4B", "deepseek-ai/DeepSeek-V3"


@pytest.fixture
def fed() -> FleetOnPaper:
    return fleet(3)


def answered(fed: FleetOnPaper, query: dict[str, str], viewer: Viewer = EVERYTHING) -> dict[str, Any]:
    return answer(Live(fed.cluster, SIZING), Question.of(query), viewer)


def asked(fed: FleetOnPaper, **query: str) -> dict[str, Any]:
    return answered(fed, query)


def test_it_says_what_plan_says_of_the_same_service(fed: FleetOnPaper) -> None:
    query = {"model": SMALL, "namespace": "team-a", "replicas": "3"}
    found = answered(fed, query)
    wanted = gather([Document(Path("x"), Question.of(query).service())])
    scheduler = ModelScheduler.by_policy()
    scheduler.expect(known_claims(fed.cluster.claim_table, fed.cluster.pod_table))
    plan = live_plan_view.document(plan_live(Live(fed.cluster, SIZING), wanted, scheduler))
    assert {name: found[name] for name in plan} == plan
    assert (found["placed"], found["pending"]) == (3, 0)


def test_nothing_that_is_shown_changes(fed: FleetOnPaper) -> None:
    reader = Reader(fed)
    before = reader.read()
    asked(fed, model=SMALL, namespace="team-a", replicas="5")
    after = reader.read()
    assert all(after[name][key] is row for name in before for key, row in before[name].items())


def test_a_model_that_fits_nowhere_is_told_why(fed: FleetOnPaper) -> None:
    found = asked(fed, model=HUGE)
    assert (found["placed"], found["pending"]) == (0, 1)
    assert any(line.startswith("! default/what-if: 1 pod would wait") for line in found["lines"])


def test_a_model_that_is_dropped_on_a_node_goes_there(fed: FleetOnPaper) -> None:
    for node in ("worker-0", "worker-2"):
        (service,) = asked(fed, model=SMALL, node=node)["services"]
        assert [row["node"] for row in service["replicas"]] == [node]


def test_a_mode_and_a_number_of_partitions_are_asked_for(fed: FleetOnPaper) -> None:
    (service,) = asked(fed, model=SMALL, mode="CPX/NPS4", count="2")["services"]
    (replica,) = service["replicas"]
    one, other = replica["partitions"]
    assert (replica["mode"], one != other) == ("CPX/NPS4", True)


def test_a_service_that_goes_leaves_its_partitions_to_others(fed: FleetOnPaper) -> None:
    found = asked(fed, remove="team-b/search")
    (service,) = found["services"]
    assert service["replicas"] == []
    assert service["gone"]
    assert all(key.startswith("team-b/") for key in service["gone"])


def test_a_name_that_is_taken_is_not_taken_for_the_question() -> None:
    fed = FleetOnPaper()
    fed.put(fed.cluster.namespaces, namespace_object("team-a"))
    fed.add_node("worker-0", gpu(0))
    fed.put(fed.cluster.services, service("what-if", "team-a", SMALL))
    found = asked(fed, model=SMALL, namespace="team-a")
    assert [each["name"] for each in found["services"]] == ["what-if-2"]


def test_pods_of_others_that_would_leave_are_counted(fed: FleetOnPaper) -> None:
    everything = asked(fed, remove="team-a/chat")
    only_a = answered(fed, {"remove": "team-a/chat"}, Viewer(frozenset({"team-a"})))
    others = [each["claim"] for each in everything["others"]]
    hidden = [key for key in others if not key.startswith("team-a/")]
    assert [each["claim"] for each in only_a["others"]] == [key for key in others if key.startswith("team-a/")]
    assert only_a["hidden"] == ({"others": len(hidden)} if hidden else {})
    assert not any("team-b/" in line for line in only_a["lines"])


@pytest.mark.parametrize(
    ("query", "told"),
    [
        pytest.param({}, "model: is missing", id="no model"),
        pytest.param({"model": SMALL, "namespace": "nowhere"}, "namespace: 'nowhere' is none", id="no such namespace"),
        pytest.param({"model": SMALL, "node": "gone"}, "node: 'gone' is no node", id="no such node"),
        pytest.param({"model": SMALL, "replicas": "0"}, "replicas: '0' is no number from 1 to 64", id="no replicas"),
        pytest.param({"model": SMALL, "replicas": "65"}, "replicas: '65'", id="too many replicas"),
        pytest.param({"model": SMALL, "count": "65"}, "count: '65' is no number from 1 to 64", id="too many parts"),
        pytest.param({"model": SMALL, "maxModelLen": "long"}, "maxModelLen: 'long' is no number", id="no number"),
        pytest.param({"model": SMALL, "mode": "HUGE"}, "mode", id="a mode that does not exist"),
        pytest.param({"model": SMALL, "colour": "red"}, "colour: no such field", id="an unknown field"),
        pytest.param({"model": "not a model"}, "model.id", id="what is no id"),
        pytest.param({"remove": "team-z/x"}, "remove: 'team-z/x' is no InferenceService", id="no such service"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_its_field(
    fed: FleetOnPaper, query: dict[str, str], told: str
) -> None:
    with pytest.raises(BadQuestion, match=told.replace("(", r"\(")):
        answered(fed, query)


def test_what_is_assumed_as_it_may_not_be_read_is_told(fed: FleetOnPaper) -> None:
    said = ("the right to list replicasets.apps is missing: so it is assumed",)
    query = Question.of({"model": SMALL, "namespace": "team-a"})
    found = answer(Live(fed.cluster, SIZING, assumed=said), query, EVERYTHING)
    assert (found["assumed"], found["lines"][-1]) == ([*said], said[0])


def test_others_namespaces_cannot_be_asked_about(fed: FleetOnPaper) -> None:
    only_a = Viewer(frozenset({"team-a"}))
    with pytest.raises(BadQuestion, match="namespace: 'team-b'"):
        answered(fed, {"model": SMALL, "namespace": "team-b"}, only_a)
    with pytest.raises(BadQuestion, match="remove: 'team-b/search'"):
        answered(fed, {"remove": "team-b/search"}, only_a)
