from collections.abc import Mapping
from typing import Any

import pytest

from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.placement.snapshot import Holder, Node
from controller.state.assumptions import Assumption
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plugin import CPX, assigned, plugin_claim, plugin_claim_of, plugin_pod
from tests.builders.policy import policy_object


@pytest.fixture
def fed() -> FedCluster:
    """A node in CPX/NPS4 whose plugin names its devices after the mode, under a policy for the device plugin."""
    made = FedCluster()
    made.add_node("worker-0", gpu(0), allocatable={"cpu": "8", "memory": "64Gi", "pods": "110", CPX: "8"})
    made.put(made.cluster.policies, policy_object(binding="DevicePlugin"))
    return made


def seen(fed: FedCluster) -> Node:
    (only,) = fed.cluster.snapshot().nodes
    return only


def held(fed: FedCluster) -> dict[int, Holder]:
    """Who holds which partition; what the holders take of the node is left out."""
    return {p.id.index: Holder(p.holder.kind, p.holder.name) for p in seen(fed).gpus[0].partitions if p.holder}


def missing(fed: FedCluster) -> Mapping[str, int]:
    return {name: count for name, count in seen(fed).unlocated.items() if count}


FOREIGN = Holder("foreign", "team-a/model-0")
OURS = Holder("ours", f"team-a/{plugin_claim_of()}")


def foreign(**fields: Any) -> dict[str, Any]:
    return plugin_pod(node="worker-0", phase="Running", annotations={}, gates=(), **fields)


def ours(**fields: Any) -> dict[str, Any]:
    return plugin_pod(bound="worker-0", **fields)


def test_a_node_of_the_device_plugin_says_so(fed: FedCluster) -> None:
    node = seen(fed)
    assert (node.plugin, node.naming, dict(node.devices)) == (True, "mixed", {CPX: 8})
    assert {partition.resource for partition in node.gpus[0].partitions} == {CPX}


def test_without_its_policy_it_does_not(fed: FedCluster) -> None:
    fed.put(fed.cluster.policies, policy_object(binding="DRA"))
    assert (seen(fed).plugin, seen(fed).naming) == (False, None)


def test_without_resource_claims_every_node_is_the_device_plugins(fed: FedCluster) -> None:
    fed.put(fed.cluster.policies, policy_object(binding="DRA"))
    fed.cluster.resource_claims.served = False
    assert seen(fed).plugin


def test_a_plugin_that_never_came_names_nothing(fed: FedCluster) -> None:
    fed.put(fed.cluster.nodes, node_object())
    node = seen(fed)
    assert (node.plugin, node.naming) == (True, None)
    assert {partition.resource for partition in node.gpus[0].partitions} == {""}


def test_a_pod_of_somebody_else_is_counted_until_the_kubelet_tells_its_device(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, foreign())
    assert (held(fed), missing(fed)) == ({}, {CPX: 1})
    fed.put(fed.cluster.gpu_nodes, gpu_node(assigned=[assigned(index=3)]))
    assert (held(fed), missing(fed)) == ({3: FOREIGN}, {})


def test_a_pod_of_ours_counts_once_from_its_binding_to_its_end(fed: FedCluster) -> None:
    fed.put(fed.cluster.claims, plugin_claim())
    assert (held(fed), missing(fed)) == ({}, {CPX: 1})
    fed.put(fed.cluster.pods, ours())
    assert (held(fed), missing(fed)) == ({}, {CPX: 1})
    fed.put(fed.cluster.pods, ours(node="worker-0"))
    assert (held(fed), missing(fed)) == ({}, {CPX: 1})
    fed.put(fed.cluster.gpu_nodes, gpu_node(assigned=[assigned(index=3)]))
    assert (held(fed), missing(fed)) == ({3: OURS}, {})
    fed.put(fed.cluster.claims, plugin_claim(index=3))
    assert (held(fed), missing(fed)) == ({3: OURS}, {})
    fed.put(fed.cluster.pods, ours(node="worker-0", phase="Succeeded"))
    fed.put(fed.cluster.claims, plugin_claim(index=3) | {"status": {"phase": "Released"}})
    assert (held(fed), missing(fed)) == ({}, {})


def test_a_kubelet_that_no_longer_tells_changes_nothing_that_is_known(fed: FedCluster) -> None:
    fed.put(fed.cluster.claims, plugin_claim(index=3))
    fed.put(fed.cluster.pods, ours(node="worker-0", phase="Running"))
    assert (held(fed), missing(fed)) == ({3: OURS}, {})


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        pytest.param(assigned("gone", 3), {CPX: 1}, id="a pod that is not there any more"),
        pytest.param(assigned(index=None), {CPX: 1}, id="a device that is none of the node's"),
        pytest.param(assigned(index=3, resource="gpu.amd.com"), {CPX: 1}, id="a device of a ResourceClaim"),
        pytest.param(assigned(index=3, namespace="team-b"), {CPX: 1}, id="a pod of that name elsewhere"),
    ],
)
def test_what_the_kubelet_tells_of_others_locates_nothing(
    fed: FedCluster, entry: dict[str, Any], want: Mapping[str, int]
) -> None:
    fed.put(fed.cluster.pods, foreign())
    fed.put(fed.cluster.gpu_nodes, gpu_node(assigned=[entry]))
    assert (held(fed), missing(fed)) == ({}, want)


def test_one_device_of_two_is_told(fed: FedCluster) -> None:
    made = foreign()
    made["spec"]["containers"][0]["resources"]["limits"] = {CPX: "2"}
    fed.put(fed.cluster.pods, made)
    fed.put(fed.cluster.gpu_nodes, gpu_node(assigned=[assigned(index=3)]))
    assert (held(fed), missing(fed)) == ({3: FOREIGN}, {CPX: 1})


def test_what_is_decided_and_not_yet_seen_is_counted_and_stands_for_no_partition(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, foreign())
    fed.put(fed.cluster.gpu_nodes, gpu_node(assigned=[assigned(index=3)]))
    fed.cluster.assumptions.add(Assumption("team-a/x", "u", "worker-0", (PartitionId(bdf(0), 3),), Resources(), CPX))
    assert (held(fed), missing(fed)) == ({3: FOREIGN}, {CPX: 1})


def test_beside_resource_claims_what_a_plugins_pod_holds_is_known_too(fed: FedCluster) -> None:
    fed.put(fed.cluster.policies, policy_object(binding="DRA"))
    fed.put(fed.cluster.claims, bound_claim("aim-dra", index=1))
    fed.put(fed.cluster.pods, foreign())
    fed.put(fed.cluster.gpu_nodes, gpu_node(assigned=[assigned(index=3)]))
    assert held(fed) == {1: Holder("ours", "team-a/aim-dra"), 3: FOREIGN}
    assert seen(fed).gpus[0].bdf == bdf(0)
