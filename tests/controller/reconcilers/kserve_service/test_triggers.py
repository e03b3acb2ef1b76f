from typing import Any

import pytest

from controller.reconcilers.kserve_service.triggers import kserve_service_of_claim, kserve_service_of_pod
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.reconcile import Request
from tests.builders.claim import claim
from tests.builders.cluster import FedCluster
from tests.builders.pod import pod, typed_pod

LABELLED: dict[str, Any] = {"labels": {"serving.kserve.io/inferenceservice": "chat"}}
CHAT = [Request("team-a", "chat")]


def added(new: Any) -> StoreEvent[Any]:
    return StoreEvent(EventType.ADDED, "team-a/model-0", None, new)


def test_a_pod_of_kserves_leads_to_its_service() -> None:
    assert list(kserve_service_of_pod(added(typed_pod(metadata=LABELLED)))) == CHAT
    assert list(kserve_service_of_pod(added(typed_pod()))) == []


@pytest.mark.parametrize(
    ("metadata", "want"),
    [(LABELLED, CHAT), ({}, []), (LABELLED | {"name": "other"}, [])],
    ids=["the pod has the label", "it has not", "the pod is not there"],
)
def test_a_claim_leads_to_the_service_of_its_pod(metadata: dict[str, Any], want: list[Request]) -> None:
    fed = FedCluster()
    fed.put(fed.cluster.pods, pod(metadata=metadata))
    assert list(kserve_service_of_claim(fed.cluster)(added(claim()))) == want
