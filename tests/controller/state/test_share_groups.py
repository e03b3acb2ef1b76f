from collections import Counter
from typing import Any

import pytest

from api.group import SERVICE_LABEL
from controller.state.cluster import Cluster
from controller.state.pods import service_index, set_index
from controller.state.share_groups import claims_of_pods
from tests.builders.claim import claim
from tests.builders.cluster import FedCluster
from tests.builders.pod import pod, typed_pod

SET = {"kind": "ReplicaSet", "name": "chat-1", "uid": "uid-chat-1", "controller": True}


def served(name: str, service: str) -> dict[str, Any]:
    made = pod(name, claim=f"aim-{name}")
    made["metadata"]["labels"] = {SERVICE_LABEL: service}
    return made


def found(cluster: Cluster, service: str) -> list[tuple[str, str]]:
    pods = cluster.pods_by("service", service)
    return [(held.metadata.name or "", holder.name) for held, holder in claims_of_pods(cluster, pods)]


def test_pods_are_found_by_their_service() -> None:
    assert list(service_index(typed_pod("a", metadata={"labels": {SERVICE_LABEL: "chat"}}))) == ["team-a/chat"]
    assert list(service_index(typed_pod("a"))) == []


def test_pods_with_a_claim_are_found_by_their_replica_set() -> None:
    assert list(set_index(typed_pod("a", metadata={"ownerReferences": [SET]}))) == ["team-a/chat-1"]
    assert list(set_index(typed_pod("a", claim=None, metadata={"ownerReferences": [SET]}))) == []
    assert list(set_index(typed_pod("a", metadata={"ownerReferences": [SET | {"kind": "Job"}]}))) == []
    assert list(set_index(typed_pod("a"))) == []


def test_a_pod_has_the_claim_of_its_name_when_that_is_for_it() -> None:
    fed = FedCluster()
    for name in ("a", "b", "c"):
        fed.put(fed.cluster.pods, served(name, "chat"))
    fed.put(fed.cluster.claims, claim("aim-a", pod="a"))
    fed.put(fed.cluster.claims, claim("aim-b", pod="another"))
    assert found(fed.cluster, "team-a/chat") == [("aim-a", "a")]


def test_what_a_service_has_costs_what_it_has_however_many_claims_there_are_beside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fed = FedCluster()
    for number in range(50):
        fed.put(fed.cluster.pods, served(f"other-{number}", "other"))
        fed.put(fed.cluster.claims, claim(f"aim-other-{number}", pod=f"other-{number}"))
    fed.put(fed.cluster.pods, served("a", "chat"))
    fed.put(fed.cluster.claims, claim("aim-a", pod="a"))
    reads: Counter[str] = Counter()
    read = fed.cluster.claim_table.get

    def counting(key: str) -> Any:
        reads[key] += 1
        return read(key)

    monkeypatch.setattr(fed.cluster.claim_table, "get", counting)
    assert found(fed.cluster, "team-a/chat") == [("aim-a", "a")]
    assert reads == {"team-a/aim-a": 1}
