from typing import Any

import pytest

from api.group import ISOLATION, SHARE_GROUP
from api.v1beta1 import GPUPartitionClaim
from controller.binding.shares import Share
from controller.runtime.cache.store import EventType, StoreEvent
from controller.translate.pod import PodView, pod_view
from controller.translate.share_group import as_seen_by, group_claim_name, member_request, pods_told_of, shares_of
from tests.builders.claim import allocation, claim
from tests.builders.pod import OPTED_IN, typed_pod

NAME = group_claim_name("team-a", "chat")
SHARE: dict[str, Any] = {"pod": {"name": "model-0", "uid": "uid-model-0"}, "bytes": 1 << 30, "computeUnits": "0-12"}


def view(name: str = "model-0", asked: dict[str, str] | None = None) -> PodView:
    annotations = OPTED_IN | {ISOLATION: "cooperative", SHARE_GROUP: "chat"} | (asked or {})
    return pod_view(typed_pod(name, claim=NAME, annotations=annotations))


def stored(**status: Any) -> dict[str, Any]:
    made = claim(NAME, status={"phase": "Allocated", "allocation": allocation(), "shares": [SHARE]} | status)
    made["spec"] = {"shareGroup": "chat", "requirement": {"memory": "8Gi", "isolation": "cooperative"}}
    return made


def read(**status: Any) -> GPUPartitionClaim:
    return GPUPartitionClaim.model_validate(stored(**status))


def test_the_name_follows_from_namespace_and_group_and_separates_them() -> None:
    names = {group_claim_name(*pair) for pair in [("a", "b"), ("a", "c"), ("b", "b"), ("a-b", "c"), ("a", "b-c")]}
    assert len(names) == 5
    assert group_claim_name("a", "b") in names


def test_a_member_names_the_claim_of_the_group_it_names() -> None:
    found = member_request(view())
    assert found is not None
    assert found.group == "chat"


@pytest.mark.parametrize("asked", [{SHARE_GROUP: "other"}, {ISOLATION: "hardware"}, {ISOLATION: "soft"}])
def test_a_pod_whose_annotations_were_changed_is_no_member(asked: dict[str, str]) -> None:
    assert member_request(view(asked=asked)) is None


def test_shares_are_read_as_they_were_given() -> None:
    assert shares_of(read()) == (Share("uid-model-0", 1 << 30, ((0, 12),)),)


def test_a_member_sees_the_claim_as_its_own_with_the_size_of_its_share() -> None:
    seen = as_seen_by(read(), view())
    assert seen.spec.pod_ref is not None
    assert (seen.spec.pod_ref.name, seen.spec.share_group) == ("model-0", None)
    assert seen.status.allocation is not None
    assert [device.bytes for device in seen.status.allocation.devices] == [1 << 30]


def test_one_that_waits_sees_why() -> None:
    when = "2026-01-01T00:00:00Z"
    bound = {"type": "Bound", "status": "True", "reason": "PartitionChosen", "message": "", "lastTransitionTime": when}
    seen = as_seen_by(read(explanation="pod late waits: too little is left", conditions=[bound]), view("late"))
    assert (seen.status.phase, seen.status.allocation) == ("Pending", None)
    (condition,) = seen.status.conditions
    assert (condition.status, condition.reason) == ("False", "WaitingForShare")
    assert "too little is left" in condition.message


def test_a_pods_own_claim_is_seen_as_it_is() -> None:
    own = GPUPartitionClaim.model_validate(claim())
    assert as_seen_by(own, view()) is own


def test_an_event_is_for_members_that_came_and_that_left() -> None:
    after = stored(shares=[SHARE | {"pod": {"name": "model-1", "uid": "uid-model-1"}}])
    assert pods_told_of(StoreEvent(EventType.MODIFIED, f"team-a/{NAME}", stored(), after)) == ["model-0", "model-1"]
    assert pods_told_of(StoreEvent(EventType.ADDED, "team-a/aim-a", None, claim())) == ["model-0"]
