from typing import Any

import pytest

from api.group import SERVICE_LABEL
from controller.reconcilers.inference_service.triggers import service_of_claim, service_of_owned
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.reconcile import Request
from tests.builders.claim import claim
from tests.builders.cluster import FedCluster
from tests.builders.pod import pod, typed_pod

LABELLED: dict[str, Any] = {"labels": {SERVICE_LABEL: "chat"}}
CHAT = [Request("team-a", "chat")]


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
