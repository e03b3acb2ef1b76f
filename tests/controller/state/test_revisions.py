from typing import Any

from controller.state.cluster import Cluster
from controller.translate.pod import PodView
from tests.builders.cluster import FedCluster
from tests.builders.pod import pod


def made(name: str, revision: str, second: int, owner: str | None = None) -> dict[str, Any]:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": f"rs-{revision}", "controller": True}
    return pod(
        name,
        metadata={
            "labels": {"pod-template-hash": revision},
            "creationTimestamp": f"2026-01-01T00:00:{second:02}Z",
            "ownerReferences": [reference | {"name": owner or f"chat-{revision}"}],
        },
    )


def view(cluster: Cluster, name: str) -> PodView:
    found = cluster.pod_table.view(f"team-a/{name}")
    assert found is not None
    return found


def test_pods_of_two_revisions_are_one_family_and_the_newer_is_that_whose_first_pod_came_later() -> None:
    fed = FedCluster()
    for each in (made("old-0", "6f", 1), made("new-0", "7a", 10), made("old-1", "6f", 20)):
        fed.put(fed.cluster.pods, each)
    old, new = view(fed.cluster, "old-1"), view(fed.cluster, "new-0")
    assert old.family == new.family == "team-a/ReplicaSet/chat"
    assert fed.cluster.pod_table.revision_seconds(old) < fed.cluster.pod_table.revision_seconds(new)
    fed.drop(fed.cluster.pods, made("old-0", "6f", 1))
    assert fed.cluster.pod_table.revision_seconds(old) < fed.cluster.pod_table.revision_seconds(new)


def test_a_revision_without_pods_is_forgotten() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.pods, made("old-0", "6f", 1))
    gone = view(fed.cluster, "old-0")
    fed.drop(fed.cluster.pods, made("old-0", "6f", 1))
    assert fed.cluster.pod_table.revision_seconds(gone) == 0.0


def test_other_deployments_and_pods_without_a_revision_are_other_families() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.pods, made("a", "6f", 1, owner="summary-6f"))
    fed.put(fed.cluster.pods, pod("alone"))
    assert view(fed.cluster, "a").family == "team-a/ReplicaSet/summary"
    assert view(fed.cluster, "alone").family == ""
    assert fed.cluster.pod_table.revision_seconds(view(fed.cluster, "alone")) == 0.0
