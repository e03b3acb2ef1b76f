"""A pod whose gate is open and whose claim somebody deleted keeps what its ResourceClaim is pinned to."""

from typing import Any

import pytest

from controller.binding.dra import Pin, PinnedDevice, claim_spec
from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.placement.snapshot import Holder
from controller.runtime.cache.informer import Informer
from controller.state.assumptions import Assumption
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.pod import ASSIGNED, GATE, OPTED_IN, container, pod
from tests.builders.resource_claim import resource_claim

PIN = Pin("worker-0", "worker-0", tuple(PinnedDevice(device_name(1, i), 136 + i) for i in (2, 5)), "cpx_nps4")
PLACES = {f"{bdf(1)}/2", f"{bdf(1)}/5"}


@pytest.fixture
def fed() -> FedCluster:
    made = FedCluster()
    made.add_node("worker-0", gpu(0), gpu(1))
    made.add_node("worker-1", gpu(1))
    return made


def open_pod(**fields: Any) -> dict[str, Any]:
    asked = container(requests={"cpu": "2", "memory": "1Gi"})
    return pod("model-0", asked, **{"gates": (), "annotations": OPTED_IN | ASSIGNED, **fields})


def pinned(**fields: Any) -> dict[str, Any]:
    return resource_claim(spec=claim_spec(PIN), **fields)


def held(fed: FedCluster) -> dict[str, Holder]:
    parts = fed.cluster.snapshot().partitions()
    return {f"{part.id}": part.holder for node, _, part in parts if part.holder and node.name == "worker-0"}


def used(fed: FedCluster) -> Resources:
    node = fed.cluster.snapshot().node("worker-0")
    assert node is not None
    return node.used


@pytest.mark.parametrize("pod_first", [True, False])
def test_what_the_pin_names_is_held_and_the_node_counts_the_pod(fed: FedCluster, pod_first: bool) -> None:
    told: list[tuple[Informer[Any], dict[str, Any]]] = [
        (fed.cluster.pods, open_pod()),
        (fed.cluster.resource_claims, pinned()),
    ]
    for informer, made in told if pod_first else reversed(told):
        fed.put(informer, made)
    assert held(fed) == dict.fromkeys(PLACES, Holder("foreign", "team-a/aim-a"))
    assert used(fed) == Resources(2000, 1 << 30, 1)


@pytest.mark.parametrize(
    ("told", "claimed"),
    [
        pytest.param(open_pod(gates=(GATE,)), pinned(), id="its gate is closed: decided anew"),
        pytest.param(open_pod(phase="Succeeded"), pinned(), id="it has ended"),
        pytest.param(open_pod(metadata={"uid": "another"}), pinned(), id="another pod of that name"),
        pytest.param(open_pod(annotations=OPTED_IN), pinned(), id="a pin that the operator never wrote"),
        pytest.param(
            open_pod(annotations=OPTED_IN | {"aim.amd.com/assigned-node": "worker-9"}), pinned(), id="another node"
        ),
        pytest.param(open_pod(), resource_claim(), id="no pin of ours"),
    ],
)
def test_nothing_is_held(fed: FedCluster, told: dict[str, Any], claimed: dict[str, Any]) -> None:
    fed.put(fed.cluster.pods, told)
    fed.put(fed.cluster.resource_claims, claimed)
    assert held(fed) == {}


def test_a_claim_with_a_place_tells_by_itself_and_the_pin_counts_once_it_is_deleted(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, open_pod())
    fed.put(fed.cluster.claims, bound_claim())
    fed.put(fed.cluster.resource_claims, pinned())
    assert set(held(fed)) == {f"{bdf(0)}/0"}
    fed.drop(fed.cluster.claims, bound_claim())
    assert set(held(fed)) == PLACES


def test_a_claim_without_a_place_is_the_holder_by_its_own_name(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, open_pod())
    fed.put(fed.cluster.resource_claims, pinned())
    fed.put(fed.cluster.claims, claim())
    assert {holder.kind for holder in held(fed).values()} == {"ours"}


def test_what_is_allocated_counts_and_the_pin_no_longer(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, open_pod())
    fed.put(fed.cluster.resource_claims, pinned())
    fed.put(fed.cluster.resource_claims, pinned(device=device_name(0, 7)))
    assert set(held(fed)) == {f"{bdf(0)}/7"}


def test_a_pin_to_another_mode_keeps_nothing(fed: FedCluster) -> None:
    fed.add_node("worker-0", gpu(0), gpu(1, "DPX/NPS1"))
    fed.put(fed.cluster.pods, open_pod())
    fed.put(fed.cluster.resource_claims, pinned())
    assert held(fed) == {}


def test_what_is_kept_is_free_again_with_the_pod(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, open_pod())
    fed.put(fed.cluster.resource_claims, pinned())
    fed.drop(fed.cluster.pods, open_pod())
    assert held(fed) == {}
    assert used(fed) == Resources()


def test_what_is_assumed_for_the_claim_counts_once(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, open_pod())
    fed.put(fed.cluster.claims, claim())
    fed.put(fed.cluster.resource_claims, pinned())
    places = tuple(PartitionId(bdf(1), index) for index in (2, 5))
    fed.cluster.assumptions.add(
        Assumption("team-a/aim-a", "uid-team-a/aim-a", "worker-0", places, Resources(2000, 1 << 30, 1))
    )
    assert set(held(fed)) == PLACES
    assert used(fed) == Resources(2000, 1 << 30, 1)
