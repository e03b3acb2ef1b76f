from typing import Any

import pytest

from api.group import SERVICE_LABEL
from api.object import dump
from controller.reconcilers.inference_service.triggers import (
    service_of_claim,
    service_of_owned,
    services_beside,
    services_of_bound,
    services_of_name,
    services_of_products,
    services_of_profile,
)
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.reconcile import Request
from tests.builders.claim import claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.inference_service import inference_service
from tests.builders.model_profile import MODEL, model_profile
from tests.builders.pod import pod, typed_pod
from tests.builders.policy import policy_object
from tests.builders.share_group import sharing, sharing_service

LABELLED: dict[str, Any] = {"labels": {SERVICE_LABEL: "chat"}}
CHAT = [Request("team-a", "chat")]


def namespace(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "team-a", "labels": labels}, "spec": {"finalizers": ["kubernetes"]}}


def added(new: Any) -> StoreEvent[Any]:
    return StoreEvent(EventType.ADDED, "team-a/model-0", None, new)


@pytest.mark.parametrize("made", [pod, typed_pod], ids=["a dict", "a struct"])
def test_a_labelled_object_leads_to_its_service(made: Any) -> None:
    assert list(service_of_owned(added(made(metadata=LABELLED)))) == CHAT
    assert list(service_of_owned(added(made()))) == []


@pytest.mark.parametrize(
    ("metadata", "want"),
    [(LABELLED, CHAT), ({}, []), (LABELLED | {"name": "other"}, [])],
    ids=["the pod has the label", "it has not", "the pod is not there"],
)
def test_a_claim_leads_to_the_service_of_its_pod(metadata: dict[str, Any], want: list[Request]) -> None:
    fed = FedCluster()
    fed.put(fed.cluster.pods, pod(metadata=metadata))
    assert list(service_of_claim(fed.cluster)(added(claim()))) == want


SIZED = {
    "sizing": dict.fromkeys(("weightsBytes", "kvCacheBytes", "overheadBytes", "totalBytes", "kvBytesPerToken"), 1)
    | {"precision": "bf16", "maxModelLen": 1, "maxConcurrency": 1}
}


def with_services() -> FedCluster:
    fed = FedCluster()
    for made in (
        inference_service("of-model", model={"id": MODEL}, status=SIZED),
        inference_service("by-name", model={"profileRef": "mine"}, status=SIZED),
        inference_service("unsized"),
        inference_service("other", status=SIZED),
    ):
        fed.put(fed.cluster.services, dump(made))
    return fed


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(None, model_profile("mine"), ["of-model", "by-name", "unsized"], id="it came"),
        pytest.param(model_profile("mine"), model_profile("mine") | {"status": {}}, [], id="its status"),
    ],
)
def test_a_model_profile_leads_to_the_services_that_it_may_size(old: Any, new: Any, want: list[str]) -> None:
    found = services_of_profile(with_services().cluster)
    assert [request.name for request in found(StoreEvent(EventType.MODIFIED, "mine", old, new))] == want


def test_a_new_product_leads_to_every_service_once() -> None:
    fed = with_services()
    counts = []
    mapping = services_of_products(fed.cluster)
    fed.cluster.gpu_nodes.add_handler(lambda event: counts.append(len(list(mapping(event)))))
    for name, product in (("a", "MI300X"), ("b", "MI300X"), ("c", "MI325X")):
        fed.put(fed.cluster.gpu_nodes, gpu_node(name, gpu(product=product)))
    assert counts == [4, 0, 4]


def test_services_of_one_model_hear_of_one_another_when_that_changes() -> None:
    fed = FedCluster()
    for name, model in (("chat", "m/one"), ("draft", "m/one"), ("other", "m/two")):
        fed.put(fed.cluster.services, dump(inference_service(name, model={"id": model})))
    was, now = (dump(inference_service("new", model={"id": model})) for model in ("m/one", "m/two"))
    told = services_of_name(fed.cluster)

    def names(old: Any, new: Any) -> list[str]:
        return [request.name for request in told(StoreEvent(EventType.MODIFIED, "team-a/new", old, new))]

    assert names(None, was) == ["chat", "draft"]
    assert names(was, now) == ["chat", "draft", "other"]
    assert names(now, now) == []
    assert names(now, None) == ["other"]


def test_services_that_share_a_partition_hear_of_what_the_others_are_promised() -> None:
    fed = sharing({"a": 5, "b": 3, "c": None})
    fed.put(fed.cluster.services, sharing_service("waits", 2))
    told = services_beside(fed.cluster)

    def names(key: str, old: Any, new: Any) -> list[str]:
        return [request.name for request in told(StoreEvent(EventType.MODIFIED, f"team-a/{key}", old, new))]

    was, now = sharing_service("a", 5), sharing_service("a", 6)
    assert names("a", was, now) == names("a", now, None) == ["b", "c"]
    assert names("a", was, sharing_service("a", 5, model={"id": "Qwen/Qwen3-8B"})) == []
    assert names("waits", None, sharing_service("waits", 2)) == []  # nobody shares with it yet


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(policy_object(), policy_object(sharedConcurrency=8), ["a"], id="a bound is set"),
        pytest.param(policy_object(sharedConcurrency=8), None, ["a"], id="a policy is gone"),
        pytest.param(policy_object(), policy_object() | {"status": {}}, [], id="a policy's status"),
        pytest.param(namespace(), namespace(team="x"), ["a"], id="other policies are for the namespace"),
        pytest.param(namespace(), namespace() | {"status": {}}, [], id="a namespace's status"),
    ],
)
def test_services_that_share_hear_of_what_may_bound_them(old: Any, new: Any, want: list[str]) -> None:
    fed = sharing({"a": 5, "b": None})
    fed.put(fed.cluster.services, dump(inference_service("alone", qos={"guarantees": {"minConcurrency": 3}})))
    found = services_of_bound(fed.cluster)(StoreEvent(EventType.MODIFIED, "any", old, new))
    assert [request.name for request in found] == want
