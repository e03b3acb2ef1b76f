from controller.placement.demand import Resources
from controller.placement.quota import Quota
from controller.state.assumptions import Assumption
from tests.builders.claim import allocation, bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.policy import policy_object

SIZE = gpu().partitions[0].bytes


def on_node(fed: FedCluster) -> dict[str, int]:
    return dict(fed.cluster.claimed_bytes.on("worker-0"))


def test_claims_with_a_place_count_by_namespace_and_stop_when_they_end() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.claims, bound_claim("aim-a"))
    fed.put(fed.cluster.claims, bound_claim("aim-b", index=1, namespace="team-b"))
    fed.put(
        fed.cluster.claims, claim("aim-c", status={"phase": "Bound", "allocation": allocation("worker-0", 0, 2, 3)})
    )
    assert on_node(fed) == {"team-a": 3 * SIZE, "team-b": SIZE}
    fed.put(fed.cluster.claims, bound_claim("aim-a", phase="Released"))
    fed.drop(fed.cluster.claims, bound_claim("aim-b", index=1, namespace="team-b"))
    fed.put(fed.cluster.claims, claim("aim-c"))
    assert on_node(fed) == {}


def test_with_the_device_plugin_the_smallest_partitions_count_until_it_is_told_which() -> None:
    fed = FedCluster()
    resource = {"name": "amd.com/cpx_nps4", "mode": "CPX/NPS4", "bytes": 5}
    named = {"node": "worker-0", "binding": "DevicePlugin", "resource": resource}
    fed.put(fed.cluster.claims, claim(count=3, status={"phase": "Bound", "allocation": named}))
    assert on_node(fed) == {"team-a": 15}


def test_what_was_decided_counts_before_it_is_seen_and_once() -> None:
    fed = FedCluster()
    fed.add_node("worker-0")
    fed.put(fed.cluster.policies, policy_object(quotas=[{"namespace": "team-a", "min": "1Gi", "max": "2Gi"}]))
    first = gpu().partitions[0].id
    fed.cluster.assumptions.add(Assumption("team-a/aim-a", "uid-team-a/aim-a", "worker-0", (first,), Resources()))
    snapshot = fed.cluster.snapshot()
    host = snapshot.node("worker-0")
    assert host is not None
    assert host.policy is not None
    assert host.policy.quota("team-a") == Quota(1 << 30, 2 << 30)
    assert snapshot.quota_used("shared", "team-a") == SIZE
    fed.put(fed.cluster.claims, bound_claim("aim-a"))
    assert fed.cluster.snapshot().quota_used("shared", "team-a") == SIZE
