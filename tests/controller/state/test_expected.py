from typing import Any

from controller.placement.expectation import Known
from controller.reconcilers.gpu_partition_claim.placing import demand_of
from controller.state.expected import known_claims
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.pod import container, pod


def made(stored: dict[str, Any], second: int) -> dict[str, Any]:
    created = {"creationTimestamp": f"2026-01-01T00:00:{second:02}Z"}
    return {**stored, "metadata": {**stored["metadata"], **created}}


def fed() -> FedCluster:
    """One claim with a place, one that waits, one that could not be sized, and one whose pod is gone."""
    cluster = FedCluster()
    cluster.put(cluster.cluster.claims, made(bound_claim(pod="p0"), 7))
    cluster.put(cluster.cluster.claims, made(claim("aim-waits", pod="p1", memory="40Gi", count=2), 3))
    cluster.put(cluster.cluster.claims, made(claim("aim-unsized", pod="p2", memory=None), 1))
    cluster.put(cluster.cluster.claims, made(claim("aim-left", pod="p3"), 1))
    for name, its in (("p0", "aim-a"), ("p1", "aim-waits"), ("p2", "aim-unsized")):
        cluster.put(cluster.cluster.pods, pod(name, container(requests={"cpu": "2500m"}), claim=its))
    return cluster


def test_claims_are_known_by_what_they_ask_for_whether_they_have_a_place_or_not() -> None:
    cluster = fed().cluster
    found = sorted(known_claims(cluster.claim_table, cluster.pod_table), key=lambda known: known.created_seconds)
    begun = 1767225600.0  # 2026-01-01
    assert found == [
        Known("uid-team-a/aim-waits", begun + 3, (2500, 40 << 30, 2)),
        Known("uid-team-a/aim-a", begun + 7, (2500, 16 << 30, 1)),
    ]


def test_a_claim_is_known_as_it_counts_when_it_is_decided() -> None:
    cluster = fed().cluster
    for known in known_claims(cluster.claim_table, cluster.pod_table):
        key = known.uid.removeprefix("uid-")
        there = cluster.claim_table.get(key)
        view = cluster.pod_table.of_claim(there) if there is not None else None
        assert there is not None
        assert view is not None
        stored = cluster.pods.store.get(f"{view.namespace}/{view.name}")
        assert stored is not None
        asked = demand_of(key, there, view, stored, None)
        assert known.uid == asked.uid
        need = asked.requirement
        assert known.shape == (asked.pod.resources.cpu_milli, need.bytes, need.count)
