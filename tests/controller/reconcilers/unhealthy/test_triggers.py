from typing import Any

import pytest

from controller.reconcilers.unhealthy import triggers
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.reconcile import Request
from tests.builders.claim import bound_claim, claim
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import typed_node


def event(old: Any, new: Any) -> StoreEvent[Any]:
    return StoreEvent(EventType.MODIFIED, "worker-0", old, new)


def troubled(made: dict[str, Any], status: str) -> dict[str, Any]:
    return made | {"status": made["status"] | {"conditions": [{"type": "Healthy", "status": status}]}}


def held(made: dict[str, Any]) -> dict[str, Any]:
    """The same inventory, with a pod on a partition: who holds what changes with every pod."""
    reported = made["status"]["gpus"][0]
    first = reported["partitions"][0] | {"holder": "ours"}
    return made | {
        "status": made["status"] | {"gpus": [reported | {"partitions": [first, *reported["partitions"][1:]]}]}
    }


@pytest.mark.parametrize(
    ("mapping", "old", "new", "wakes"),
    [
        pytest.param("inventory", gpu_node(), gpu_node("worker-0", gpu(unhealthy=(1,))), True, id="a partition broke"),
        pytest.param("inventory", gpu_node(), held(gpu_node()), False, id="a pod came"),
        pytest.param("inventory", None, gpu_node(), True, id="a GPUNode came"),
        pytest.param("inventory", gpu_node(), gpu_node(paused=True), True, id="a person changed its spec"),
        pytest.param("host", typed_node(), typed_node(ready=False), True, id="the Node is not Ready"),
        pytest.param("host", typed_node(), typed_node(labels={"a": "b"}), False, id="the Node's labels"),
        pytest.param("host", typed_node(), None, True, id="the Node went"),
        pytest.param("troubled_claim", claim(), bound_claim(), False, id="a claim of which nothing was said"),
        pytest.param(
            "troubled_claim", bound_claim(), troubled(bound_claim(), "False"), True, id="a claim that was told of"
        ),
        pytest.param("troubled_claim", bound_claim(), troubled(bound_claim(), "True"), False, id="one that is well"),
        pytest.param("troubled_claim", bound_claim(), troubled(claim(), "False"), False, id="one without a place"),
    ],
)
def test_only_what_concerns_health_wakes(mapping: str, old: Any, new: Any, wakes: bool) -> None:
    found = getattr(triggers, f"node_of_{mapping}")(event(old, new))
    assert list(found) == ([Request("", "worker-0")] if wakes else [])
