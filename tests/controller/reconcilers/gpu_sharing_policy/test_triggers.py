from typing import Any

import pytest

from controller.reconcilers.gpu_sharing_policy import triggers
from controller.reconcilers.gpu_sharing_policy.controller import ALL
from controller.runtime.cache.store import EventType, StoreEvent
from tests.builders.claim import bound_claim, claim
from tests.builders.gpu_node import gpu_node
from tests.builders.node import typed_node
from tests.builders.policy import policy_object


def event(old: Any, new: Any) -> StoreEvent[Any]:
    return StoreEvent(EventType.MODIFIED, "any", old, new)


@pytest.mark.parametrize(
    ("mapping", "old", "new", "wakes"),
    [
        pytest.param("policy", policy_object(), policy_object(paused=True), True, id="a policy says something else"),
        pytest.param("policy", policy_object(), policy_object() | {"status": {"nodes": 1}}, False, id="its status"),
        pytest.param("policy", None, policy_object(), True, id="a policy came"),
        pytest.param("node", typed_node(), typed_node(labels={"pool": "fast"}), True, id="a Node's labels"),
        pytest.param("node", typed_node(), typed_node(ready=False), False, id="a Node's readiness"),
        pytest.param("node", typed_node(), None, True, id="a Node went"),
        pytest.param("gpu_node", gpu_node(), gpu_node(managed=False), True, id="a GPUNode is managed no more"),
        pytest.param("gpu_node", gpu_node(), gpu_node(paused=True), False, id="a GPUNode is paused"),
        pytest.param("gpu_node", None, gpu_node(), True, id="a GPUNode came"),
        pytest.param("claim", claim(), bound_claim(), True, id="a claim got its place"),
        pytest.param("claim", bound_claim(), bound_claim(phase="Allocated"), False, id="the scheduler confirmed it"),
        pytest.param("claim", bound_claim(), bound_claim(phase="Released"), True, id="a claim gave its place back"),
        pytest.param("claim", bound_claim(), None, True, id="a claim went"),
    ],
)
def test_only_what_may_change_a_status_wakes(mapping: str, old: Any, new: Any, wakes: bool) -> None:
    found = getattr(triggers, f"policies_of_{mapping}")(event(old, new))
    assert list(found) == ([ALL] if wakes else [])
