from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from controller.reconcilers.gpu_partition_claim import triggers
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.manifest import AnyObject
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.runtime.reconcile import Request
from controller.runtime.source import NORMAL
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.model_profile import MODEL, model_profile
from tests.builders.node import typed_node
from tests.builders.plan import plan
from tests.builders.plugin import assigned, plugin_claim_of, plugin_pod
from tests.builders.pod import GATE, typed_pod
from tests.builders.policy import policy_object
from tests.builders.resource_claim import typed_resource_claim

T = TypeVar("T", bound=AnyObject)
AIM_A = [Request("team-a", "aim-a")]


def added(new: T) -> StoreEvent[T]:
    return StoreEvent(EventType.ADDED, "k", None, new)


def moved(old: T, new: T) -> StoreEvent[T]:
    return StoreEvent(EventType.MODIFIED, "k", old, new)


def gone(old: T) -> StoreEvent[T]:
    return StoreEvent(EventType.DELETED, "k", old, None)


def waiting(message: str) -> dict[str, Any]:
    made = plan()
    made["status"]["message"] = message
    return made


@pytest.mark.parametrize("event", [added, gone], ids=["added", "deleted"])
def test_objects_lead_to_their_claim(event: Callable[[Any], StoreEvent[Any]]) -> None:
    assert [request for request, _ in triggers.claim_of_pod(event(typed_pod()))] == AIM_A
    assert list(triggers.claim_of_pod(event(typed_pod(claim=None)))) == []
    assert list(triggers.claim_of_resource_claim(event(typed_resource_claim()))) == AIM_A
    assert list(triggers.claim_of_resource_claim(event(typed_resource_claim("theirs")))) == []


def test_a_pod_of_the_device_plugin_that_takes_no_part_any_more_leads_to_its_claim_once() -> None:
    held, let_go = (typed(plugin_pod(gates=gates), Pod) for gates in ((GATE,), ()))
    (found,) = triggers.claim_of_pod(moved(held, let_go))
    assert found[0] == Request("team-a", plugin_claim_of())
    assert list(triggers.claim_of_pod(moved(let_go, let_go))) == []


@pytest.mark.parametrize(
    ("event", "want"),
    [
        pytest.param(added(typed_pod()), triggers.HELD, id="held by our gate"),
        pytest.param(added(typed_pod(gates=())), NORMAL, id="not held"),
        pytest.param(added(typed_pod(gates=("kueue",))), NORMAL, id="held by others only"),
        pytest.param(gone(typed_pod()), NORMAL, id="held, and gone"),
    ],
)
def test_held_pods_come_first(event: StoreEvent[Any], want: int) -> None:
    assert [priority for _, priority in triggers.claim_of_pod(event)] == [want]


RUNNING, ENDED = (typed_pod(node="worker-0", phase=phase) for phase in ("Running", "Failed"))
HELD, FREE = typed_resource_claim(device="gpu-0-128"), typed_resource_claim()

ROWS = [
    pytest.param(triggers.frees_device, gone(HELD), True, id="an allocated ResourceClaim goes"),
    pytest.param(triggers.frees_device, moved(HELD, FREE), True, id="an allocation is taken back"),
    pytest.param(triggers.frees_device, gone(FREE), False, id="an unallocated one goes"),
    pytest.param(triggers.frees_device, moved(FREE, HELD), False, id="one is allocated"),
    pytest.param(triggers.frees_claim, gone(bound_claim()), True, id="a bound claim goes"),
    pytest.param(triggers.frees_claim, moved(bound_claim(), bound_claim(phase="Released")), True, id="one is released"),
    pytest.param(triggers.frees_claim, moved(bound_claim(), claim()), True, id="one is given up"),
    pytest.param(triggers.frees_claim, moved(claim(), bound_claim()), False, id="one is bound"),
    pytest.param(triggers.frees_claim, gone(claim()), False, id="a pending one goes"),
    pytest.param(triggers.frees_node, gone(RUNNING), True, id="a running pod goes"),
    pytest.param(triggers.frees_node, moved(RUNNING, ENDED), True, id="a running pod ends"),
    pytest.param(triggers.frees_node, moved(ENDED, ENDED), False, id="an ended pod changes"),
    pytest.param(triggers.frees_node, moved(RUNNING, RUNNING), False, id="a running pod changes"),
    pytest.param(triggers.frees_node, gone(typed_pod()), False, id="a pod without a node goes"),
    pytest.param(triggers.frees_node, added(RUNNING), False, id="a pod comes"),
    pytest.param(triggers.node_differs, added(typed_node()), True, id="a node comes"),
    pytest.param(triggers.node_differs, gone(typed_node()), True, id="a node goes"),
    pytest.param(triggers.node_differs, moved(typed_node(), typed_node(version="2")), False, id="its status beats"),
    pytest.param(
        triggers.node_differs,
        moved(typed_node(allocatable={"amd.com/gpu": "8"}), typed_node(allocatable={"amd.com/gpu": "1"})),
        True,
        id="its device plugin advertises other counts",
    ),
    pytest.param(triggers.node_differs, moved(typed_node(), typed_node(unschedulable=True)), True, id="cordoned"),
    pytest.param(triggers.node_differs, moved(typed_node(ready=False), typed_node()), True, id="Ready again"),
    pytest.param(triggers.inventory_differs, added(gpu_node()), True, id="an inventory comes"),
    pytest.param(triggers.inventory_differs, moved(gpu_node(), gpu_node(version="2")), False, id="the same inventory"),
    pytest.param(
        triggers.inventory_differs, moved(gpu_node(), gpu_node("worker-0", gpu(0, "SPX/NPS1"))), True, id="another mode"
    ),
    pytest.param(triggers.inventory_differs, moved(gpu_node(), gpu_node(paused=True)), True, id="paused"),
    pytest.param(triggers.plan_moves, moved(plan(), plan(phase="Succeeded")), True, id="a plan moves on"),
    pytest.param(triggers.plan_moves, moved(plan(), plan()), False, id="a plan stays where it is"),
    pytest.param(triggers.plan_moves, gone(plan()), True, id="a plan goes"),
    pytest.param(triggers.plan_moves, moved(plan(), waiting("waits: a")), True, id="a plan begins to wait"),
    pytest.param(triggers.plan_moves, moved(waiting("a"), waiting("b")), False, id="a plan waits on"),
    pytest.param(triggers.policy_differs, added(policy_object()), True, id="a policy comes"),
    pytest.param(triggers.policy_differs, moved(policy_object(), policy_object(version="2")), False, id="its status"),
    pytest.param(triggers.policy_differs, moved(policy_object(), policy_object(paused=True)), True, id="its spec"),
]


@pytest.mark.parametrize(("trigger", "event", "want"), ROWS)
def test_which_changes_could_help(
    trigger: Callable[[StoreEvent[Any]], bool], event: StoreEvent[Any], want: bool
) -> None:
    assert trigger(event) is want


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [({"a": "1"}, {"a": "1"}, False), ({"a": "1"}, {"a": "2"}, True), (None, {"a": "1"}, True)],
    ids=["the same labels", "another value", "the first labels"],
)
def test_labels_of_a_namespace(old: object, new: object, want: bool) -> None:
    def namespace(labels: object) -> dict[str, Any]:
        return {"metadata": {"name": "team-a"} | ({"labels": labels} if labels else {})}

    assert triggers.labels_differ(moved(namespace(old), namespace(new))) is want


def told(*entries: dict[str, Any], mode: str = "CPX/NPS4") -> dict[str, Any]:
    return gpu_node("worker-0", gpu(0, mode), assigned=entries)


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(told(), told(assigned(index=3)), True, id="its device is told"),
        pytest.param(told(assigned(index=3)), told(), True, id="it is told no longer"),
        pytest.param(told(assigned(index=3)), told(assigned(index=4)), True, id="another device"),
        pytest.param(None, told(assigned(index=3)), True, id="the node is seen first"),
        pytest.param(told(assigned(index=3)), None, True, id="the node is gone"),
        pytest.param(told(assigned(index=0)), told(assigned(index=0), mode="SPX/NPS1"), True, id="its GPU changed"),
        pytest.param(told(assigned(index=3)), told(assigned(index=3)), False, id="nothing new"),
        pytest.param(told(), told(assigned("other", 3)), False, id="of another pod"),
        pytest.param(gpu_node(), gpu_node(), False, id="the kubelet does not tell"),
    ],
)
def test_what_the_kubelet_tells_of_a_pod_reconciles_its_claim(
    old: dict[str, Any] | None, new: dict[str, Any] | None, want: bool
) -> None:
    fed = FedCluster()
    fed.put(fed.cluster.pods, plugin_pod(bound="worker-0", node="worker-0"))
    event = StoreEvent(EventType.MODIFIED, "worker-0", old, new)
    found = list(triggers.claims_told_of(fed.cluster.pod_table)(event))
    assert found == ([Request("team-a", plugin_claim_of())] if want else [])


def sized(name: str, model: str | None, profile: str | None = None) -> dict[str, Any]:
    made = claim(name, memory="8Gi" if model else None)
    if model:
        made["spec"]["model"] = {"id": model} | ({"profileRef": profile} if profile else {})
    return made


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(
            None, model_profile("mine"), ["a", "b", "unsized"], id="it came: its model, its name, unsized ones"
        ),
        pytest.param(model_profile("mine"), None, ["a", "b", "unsized"], id="it went"),
        pytest.param(
            model_profile("mine"), model_profile("mine", "acme/other"), ["a", "b", "c", "unsized"], id="another model"
        ),
        pytest.param(model_profile("mine"), model_profile("mine") | {"status": {"sizes": []}}, [], id="its status"),
    ],
)
def test_a_model_profile_leads_to_the_claims_that_it_may_size(
    old: dict[str, Any] | None, new: dict[str, Any] | None, want: list[str]
) -> None:
    fed = FedCluster()
    for made in (
        sized("a", MODEL),
        sized("b", "Qwen/Qwen3-8B", "mine"),
        sized("c", "acme/other"),
        sized("d", "Qwen/Qwen3-8B"),
        sized("unsized", None),
    ):
        fed.put(fed.cluster.claims, made)
    found = triggers.claims_of_profile(fed.cluster.claim_table)
    assert [request.name for request in found(StoreEvent(EventType.MODIFIED, "mine", old, new))] == want
    assert list(found(StoreEvent(EventType.MODIFIED, "mine", old, new, initial=True))) == []


@pytest.mark.parametrize(("before", "after", "want"), [([3], [], True), ([3, 4], [4], True), ([3], [3, 4], False)])
def test_a_place_that_a_service_keeps_no_longer_may_help_others(
    before: list[int], after: list[int], want: bool
) -> None:
    old, new = ({"status": {"applied": {"places": [{"partition": n} for n in kept]}}} for kept in (before, after))
    assert triggers.frees_kept_place(moved(old, new)) is want
    assert triggers.frees_kept_place(gone(old)) is True


KEPT = claim(status={"phase": "Pending", "nomination": {"node": "worker-0"}})


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(KEPT, claim(), True, id="given up"),
        pytest.param(KEPT, None, True, id="the claim is gone"),
        pytest.param(claim(), KEPT, False, id="it begins"),
        pytest.param(KEPT, KEPT, False, id="it stays"),
    ],
)
def test_a_place_that_is_kept_no_longer_may_help_others(
    old: dict[str, Any], new: dict[str, Any] | None, want: bool
) -> None:
    assert triggers.ends_nomination(StoreEvent(EventType.MODIFIED, "team-a/aim-a", old, new)) is want
