from typing import Any

import pytest

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import Resources
from controller.placement.snapshot import Node
from controller.runtime.cache.informer import Informer
from controller.state.assumptions import Assumption
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.node import node_object
from tests.builders.pod import container, pod
from tests.builders.policy import policy_object


def only_node(fed: FedCluster) -> Node:
    (found,) = fed.cluster.snapshot().nodes
    return found


def test_a_snapshot_joins_the_node_with_its_inventory() -> None:
    fed = FedCluster()
    fed.add_node("worker-0", gpu(0, "DPX/NPS2"), labels={"zone": "north"}, unschedulable=True)
    found = only_node(fed)
    assert (found.name, found.hostname, found.pool, found.labels["zone"]) == (
        "worker-0",
        "worker-0",
        "worker-0",
        "north",
    )
    assert (found.ready, found.fresh, found.unschedulable, found.paused) == (True, True, True, False)
    assert found.gpus == (gpu(0, "DPX/NPS2"),)
    assert found.allocatable == Resources(128_000, 2 << 40, 110)


@pytest.mark.parametrize("missing", ["node", "inventory", "both"])
def test_a_node_is_seen_only_with_both_objects(missing: str) -> None:
    fed = FedCluster()
    if missing == "inventory":
        fed.put(fed.cluster.nodes, node_object())
    if missing == "node":
        fed.put(fed.cluster.gpu_nodes, gpu_node())
    assert fed.cluster.snapshot().nodes == ()


def test_a_node_that_is_not_managed_is_not_seen() -> None:
    fed = FedCluster()
    fed.add_node("worker-0")
    fed.put(fed.cluster.gpu_nodes, gpu_node("worker-0", managed=False))
    assert fed.cluster.snapshot().nodes == ()


def test_freshness_comes_from_seen_renewals_alone() -> None:
    fed = FedCluster()
    fed.add_node("worker-0", alive=False)
    fed.listed(fed.cluster.leases, lease("worker-0", beat=0))
    assert not only_node(fed).fresh
    fed.put(fed.cluster.leases, lease("worker-0", beat=1))
    assert only_node(fed).fresh
    fed.clock.tick(41)
    assert not only_node(fed).fresh


def test_a_new_inventory_shows_in_the_next_snapshot() -> None:
    fed = FedCluster()
    fed.add_node("worker-0", gpu(0, "SPX/NPS1"))
    before = fed.cluster.snapshot()
    fed.put(fed.cluster.gpu_nodes, gpu_node("worker-0", gpu(0, "CPX/NPS4")))
    assert only_node(fed).gpus[0].mode == Mode.parse("CPX/NPS4")
    assert before.nodes[0].gpus[0].mode == Mode.parse("SPX/NPS1")


def test_policies_namespaces_and_device_plugin_pods_reach_the_node() -> None:
    fed = FedCluster()
    fed.add_node("worker-0", labels={"pool": "gold"})
    for name, labels in (("team-a", {"tier": "1"}), ("team-b", {})):
        fed.put(fed.cluster.namespaces, {"metadata": {"name": name, "uid": name, "labels": labels}})
    fed.put(fed.cluster.policies, policy_object("other", node_labels={"pool": "silver"}))
    fed.put(fed.cluster.policies, policy_object("gold", node_labels={"pool": "gold"}, namespace_labels={"tier": "1"}))
    fed.put(fed.cluster.pods, pod("old", container(limits={"amd.com/gpu": "1"}), claim=None, node="worker-0"))
    found = only_node(fed)
    assert found.policy is not None
    assert (found.policy.name, found.policy.namespaces) == ("gold", frozenset({"team-a"}))
    assert found.plugin_pods == 1


def assumed(fed: FedCluster, uid: str = "uid-team-a/aim-a") -> None:
    place = PartitionId(bdf(0), 0)
    fed.cluster.assumptions.add(Assumption("team-a/aim-a", uid, "worker-0", (place,), Resources(pods=1)))


@pytest.mark.parametrize(
    ("shown", "want"),
    [
        pytest.param(claim(), 1, id="the claim without its allocation says nothing new"),
        pytest.param(bound_claim(), 0, id="its allocation ends the assumption"),
        pytest.param(claim(uid="another"), 0, id="another claim of that name ends it"),
        pytest.param(claim("aim-z"), 1, id="a claim of another name does not"),
        pytest.param(claim(namespace="team-z"), 1, id="nor does one of another namespace"),
    ],
)
def test_what_ends_an_assumption(shown: dict[str, Any], want: int) -> None:
    fed = FedCluster()
    assumed(fed)
    fed.put(fed.cluster.claims, shown)
    assert len(fed.cluster.assumptions) == want


def test_a_deleted_claim_ends_it() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.claims, claim())
    assumed(fed)
    fed.drop(fed.cluster.claims, claim())
    assert len(fed.cluster.assumptions) == 0


def test_the_partition_is_held_without_a_gap_while_the_allocation_arrives() -> None:
    fed = FedCluster()
    fed.add_node("worker-0", gpu(0))
    fed.put(fed.cluster.claims, claim())
    assumed(fed)
    before = only_node(fed).gpus[0].partitions[0].holder
    fed.put(fed.cluster.claims, bound_claim())
    after = only_node(fed).gpus[0].partitions[0].holder
    assert before is not None
    assert after is not None
    assert before.name == after.name


def test_claims_of_a_namespace() -> None:
    fed = FedCluster()
    for name, namespace in (("aim-a", "team-a"), ("aim-b", "team-a"), ("aim-c", "team-b")):
        fed.put(fed.cluster.claims, claim(name, namespace=namespace))
    assert [found.metadata.name for found in fed.cluster.claims_in("team-a")] == ["aim-a", "aim-b"]


def test_every_informer_is_run_once() -> None:
    cluster = FedCluster().cluster
    kinds = [informer.resource for informer in cluster.informers]
    attributes = [value for value in vars(cluster).values() if isinstance(value, Informer)]
    assert len(kinds) == len(set(kinds)) == len(attributes)
