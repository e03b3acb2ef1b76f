"""Share groups on the map: what their partition says, and members that have no share of it."""

from typing import Any

import pytest

from api.group import MODEL_ID, SERVICE_LABEL
from controller.reconcilers.share_group.shared_status import waits
from controller.ui.document import Reader
from tests.builders.claim import bound_claim, claim
from tests.builders.gpu import GIB, gpu
from tests.controller.reconcilers.share_group.group import KEY, NAME, member
from tests.controller.ui.fleet import FleetOnPaper

Row = dict[str, Any]

SMALL, OTHER = "Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B"
FULL = "share group chat leaves 1.0 GiB, pod late needs 3.4 GiB; let a member go"


def running(fed: FleetOnPaper, name: str, service: str, model: str = SMALL, *, ready: bool = True) -> None:
    """A member that is on its partition."""
    stored = member(
        name,
        annotations={MODEL_ID: model},
        gates=(),
        node="worker-0",
        phase="Running",
        metadata={"labels": {SERVICE_LABEL: service}},
    )
    stored["status"]["conditions"] = [{"type": "Ready", "status": str(ready)}]
    fed.put(fed.cluster.pods, stored)


def group(fed: FleetOnPaper, *members: str, explanation: str | None = None) -> None:
    """The group's claim: placed, with a share for each of them, else it waits."""
    made = bound_claim(NAME, phase="Allocated") if members else claim(NAME)
    made["spec"] = {"shareGroup": "chat", "requirement": {"memory": "16Gi", "isolation": "cooperative"}}
    shares = [
        {"pod": {"name": name, "uid": f"uid-{name}"}, "bytes": 8 * GIB, "computeUnits": "0-9"} for name in members
    ]
    made["status"] |= ({"shares": shares} if members else {}) | ({"explanation": explanation} if explanation else {})
    fed.put(fed.cluster.claims, made)


@pytest.fixture
def fed() -> FleetOnPaper:
    made = FleetOnPaper()
    made.add_node("worker-0", gpu(0), gpu(1))
    return made


def claims(fed: FleetOnPaper) -> dict[str, Row]:
    return dict(Reader(fed).read()["claims"])


def test_a_group_in_use_says_so_and_who_its_members_are(fed: FleetOnPaper) -> None:
    running(fed, "a-0", "chat")
    running(fed, "b-0", "draft", OTHER, ready=False)
    group(fed, "a-0", "b-0")
    (row,) = claims(fed).values()
    assert (row["phase"], row["ready"], row["group"], row["bytes"]) == ("Allocated", True, "chat", 16 * GIB)
    assert (row["service"], row["model"]) == (None, None)
    assert row["members"] == [
        {"pod": "a-0", "service": "chat", "model": SMALL, "bytes": 8 * GIB, "computeUnits": "0-9", "ready": True},
        {"pod": "b-0", "service": "draft", "model": OTHER, "bytes": 8 * GIB, "computeUnits": "0-9", "ready": False},
    ]


def test_what_all_members_have_in_common_is_the_groups(fed: FleetOnPaper) -> None:
    running(fed, "a-0", "chat")
    running(fed, "a-1", "chat")
    group(fed, "a-0", "a-1")
    assert [claims(fed)[KEY][name] for name in ("service", "model")] == ["chat", SMALL]


def test_a_group_none_of_whose_members_is_ready_is_starting(fed: FleetOnPaper) -> None:
    running(fed, "a-0", "chat", ready=False)
    group(fed, "a-0")
    assert claims(fed)[KEY]["ready"] is False


def test_a_member_becomes_ready_and_the_row_says_so(fed: FleetOnPaper) -> None:
    running(fed, "a-0", "chat", ready=False)
    group(fed, "a-0")
    reader = Reader(fed)
    before = reader.read()["claims"]
    running(fed, "a-0", "chat")
    assert (before[KEY]["ready"], reader.read()["claims"][KEY]["ready"]) == (False, True)


def test_a_pod_of_a_members_name_that_is_another_is_not_taken_for_it(fed: FleetOnPaper) -> None:
    stored = member("a-0", gates=(), metadata={"uid": "uid-another"})
    fed.put(fed.cluster.pods, stored | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    group(fed, "a-0")
    row = claims(fed)[KEY]
    assert (row["ready"], row["members"][0]["service"], row["members"][0]["ready"]) == (False, None, False)


@pytest.mark.parametrize(
    ("written", "want"),
    [
        pytest.param(waits("late", "ShareGroupFull", FULL), f"ShareGroupFull: {FULL}", id="alone"),
        pytest.param(
            "; ".join([waits("early", "GuaranteeCapacity", "promised"), waits("late", "ShareGroupFull", FULL)]),
            f"ShareGroupFull: {FULL}",
            id="with another",
        ),
        pytest.param(waits("later", "ShareGroupFull", FULL), "the operator has not looked at it", id="not told yet"),
    ],
)
def test_a_member_without_a_share_waits_with_the_operators_reason(fed: FleetOnPaper, written: str, want: str) -> None:
    running(fed, "a-0", "chat")
    fed.put(fed.cluster.pods, member("late", metadata={"labels": {SERVICE_LABEL: "draft"}}, priority=7))
    group(fed, "a-0", explanation=written)
    rows = claims(fed)
    row = rows[f"{KEY}/late"]
    assert sorted(rows) == [KEY, f"{KEY}/late"]
    assert (row["waiting"]["message"], row["waiting"]["reason"]) == (want, want.partition(":")[0])
    assert (row["pod"], row["group"], row["service"], row["priority"]) == ("late", "chat", "draft", 7)
    assert (row["phase"], row["node"], row["waiting"]["since"]) == ("Pending", None, "2026-01-01T00:00:00Z")
    assert row["bytes"] > GIB
    assert row.keys() == rows[KEY].keys()
    assert rows[KEY]["waiting"] is None


def test_what_makes_a_pod_no_member_is_told_though_no_claim_says_it(fed: FleetOnPaper) -> None:
    fed.put(fed.cluster.pods, member("odd", annotations={MODEL_ID: "nobody/knows"}))
    (row,) = claims(fed).values()
    assert (row["group"], row["bytes"], row["model"]) == ("chat", None, "nobody/knows")
    assert row["waiting"]["message"].startswith(f"{row['waiting']['reason']}: aim.amd.com/model-id: 'nobody/knows'")


def test_a_pod_held_by_another_gate_says_by_which(fed: FleetOnPaper) -> None:
    running(fed, "a-0", "chat")
    fed.put(fed.cluster.pods, member("late", gates=("aim.amd.com/partition", "example.com/quota")))
    group(fed, "a-0")
    told = claims(fed)[f"{KEY}/late"]["waiting"]
    assert (told["reason"], told["gates"]) == ("WaitingForGate", ["example.com/quota"])


def test_a_group_that_waits_is_one_row_with_those_that_would_found_it(fed: FleetOnPaper) -> None:
    for name in ("a-0", "a-1"):
        fed.put(fed.cluster.pods, member(name, metadata={"labels": {SERVICE_LABEL: "chat"}}))
    group(fed, explanation="NoPartitionFits: none of 16 partitions takes 16.0 GiB\nNearest change: change it")
    ((key, row),) = claims(fed).items()
    assert (key, row["service"], [each["pod"] for each in row["members"]]) == (KEY, "chat", ["a-0", "a-1"])
    assert (row["waiting"]["nearest"], row["bytes"]) == ("change it", 16 * GIB)


def test_a_member_that_gets_its_share_or_goes_is_no_row_any_more(fed: FleetOnPaper) -> None:
    late = member("late")
    running(fed, "a-0", "chat")
    fed.put(fed.cluster.pods, late)
    group(fed, "a-0")
    reader = Reader(fed)
    assert f"{KEY}/late" in reader.read()["claims"]
    fed.drop(fed.cluster.pods, late)
    assert sorted(reader.read()["claims"]) == [KEY]


def test_a_row_that_did_not_change_is_the_same_object(fed: FleetOnPaper) -> None:
    running(fed, "a-0", "chat")
    fed.put(fed.cluster.pods, member("late"))
    group(fed, "a-0", explanation=waits("late", "ShareGroupFull", FULL))
    reader = Reader(fed)
    before = reader.read()["claims"]
    running(fed, "a-0", "chat", ready=False)
    after = reader.read()["claims"]
    assert after[KEY] is not before[KEY]
    assert after[f"{KEY}/late"] is before[f"{KEY}/late"]


def test_a_pod_of_its_own_is_no_member(fed: FleetOnPaper) -> None:
    stored = claim("aim-own", pod="own-0")
    fed.put(fed.cluster.claims, stored)
    row = claims(fed)["team-a/aim-own"]
    assert (row["group"], row["members"], row["pod"]) == (None, [], "own-0")
