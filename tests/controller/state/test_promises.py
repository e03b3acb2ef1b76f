"""What services that share a partition are promised there, and which of them cannot have it whole."""

from collections.abc import Mapping

import pytest

from api.group import SERVICE_LABEL
from api.v1beta1 import InferenceService
from controller.state.promises import beyond_capacity, groups_of, promises_on
from tests.builders.cluster import FedCluster
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.builders.share_group import NAME, group_claim, sharing, sharing_service


def told(fed: FedCluster, name: str) -> str | None:
    service = fed.cluster.service_table.get(f"team-a/{name}")
    assert service is not None
    problem = beyond_capacity(fed.cluster, service)
    return None if problem is None else str(problem)


@pytest.mark.parametrize(
    ("services", "bound", "want"),
    [
        pytest.param({"a": 5, "b": 3}, 8, set(), id="as much as the bound"),
        pytest.param({"a": 5, "b": 4}, 8, {"a", "b"}, id="one more: all get less while all are busy"),
        pytest.param({"a": 5, "b": 4, "c": None, "d": 0}, 8, {"a", "b"}, id="who is promised nothing loses nothing"),
        pytest.param({"a": 9}, 8, {"a"}, id="one alone"),
        pytest.param({"a": 500, "b": 400}, None, set(), id="nothing bounds them"),
    ],
)
def test_who_is_promised_what_has_no_room_is_told(
    services: Mapping[str, int | None], bound: int | None, want: set[str]
) -> None:
    fed = sharing(services, bound=bound)
    assert {name for name in services if told(fed, name)} == want


def test_what_is_told_names_field_value_and_remedy() -> None:
    message = told(sharing({"a": 5, "b": 4}), "b")
    assert message == (
        "spec.qos.guarantees.minConcurrency: '4' is had in part only while all are busy: the services of share group "
        "chat are promised 9 requests in flight on one partition, and spec.sharedConcurrency of policy shared is 8; "
        "lower it, name another spec.gpuSharing.shareGroup, or ask for more spec.sharedConcurrency"
    )


def test_a_service_is_promised_once_however_many_of_its_pods_share() -> None:
    fed = sharing({"a": 5, "b": 3})
    fed.put(fed.cluster.pods, pod("a-1", claim=NAME, metadata={"labels": {SERVICE_LABEL: "a"}}))
    fed.put(fed.cluster.claims, group_claim("a-0", "a-1", "b-0"))
    assert told(fed, "a") is None
    ((_, promises),) = groups_of(fed.cluster, "team-a/a")
    assert promises.together == 8
    assert promises.services == {"team-a/a", "team-a/b"}


def test_one_that_waits_for_its_share_is_told_nothing_and_takes_nothing() -> None:
    fed = sharing({"a": 5, "b": 4})
    fed.put(fed.cluster.claims, group_claim("a-0"))
    assert (told(fed, "a"), told(fed, "b")) == (None, None)


def test_a_share_whose_pod_is_another_one_by_now_is_nobodys() -> None:
    fed = sharing({"a": 5, "b": 4})
    successor = pod("b-0", claim=NAME, metadata={"uid": "uid-later", "labels": {SERVICE_LABEL: "b"}})
    fed.put(fed.cluster.pods, successor)
    claim = fed.cluster.claim_table.get(f"team-a/{NAME}")
    assert claim is not None
    assert promises_on(fed.cluster, claim).services == {"team-a/a"}


def test_the_policy_that_the_service_names_bounds_it() -> None:
    fed = sharing({"a": 5, "b": 4})
    fed.put(fed.cluster.policies, policy_object("roomy", sharedConcurrency=16, created="2026-06-01T00:00:00Z"))
    assert told(fed, "a") is not None
    named = InferenceService.model_validate(sharing_service("a", 5))
    ruled = named.spec.gpu_sharing.model_copy(update={"policy_ref": "roomy"})
    named = named.model_copy(update={"spec": named.spec.model_copy(update={"gpu_sharing": ruled})})
    assert beyond_capacity(fed.cluster, named) is None
