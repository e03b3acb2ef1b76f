from typing import Any

import pytest

from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.placement.snapshot import Holder, Reservation
from controller.state.assumptions import Assumption
from controller.state.occupancy import admin_held
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.plan import plan
from tests.builders.pod import container, pod
from tests.builders.resource_claim import resource_claim


@pytest.fixture
def fed() -> FedCluster:
    made = FedCluster()
    made.add_node("worker-0", gpu(0), gpu(1))
    return made


def held(fed: FedCluster) -> dict[str, Holder]:
    return {str(p.id): p.holder for _, _, p in fed.cluster.snapshot().partitions() if p.holder is not None}


def used(fed: FedCluster) -> Resources:
    (node,) = fed.cluster.snapshot().nodes
    return node.used


OURS = {f"{bdf(0)}/0": Holder("ours", "team-a/aim-a")}


@pytest.mark.parametrize(
    ("made", "want"),
    [
        pytest.param(claim(), {}, id="a pending claim holds nothing"),
        pytest.param(bound_claim(phase="Bound"), OURS, id="a bound one does"),
        pytest.param(bound_claim(phase="Allocated"), OURS, id="an allocated one does"),
        pytest.param(bound_claim(phase="Released"), {}, id="a released one does not any more"),
    ],
)
def test_claims(fed: FedCluster, made: dict[str, Any], want: dict[str, Holder]) -> None:
    fed.put(fed.cluster.claims, made)
    assert held(fed) == want


@pytest.mark.parametrize(
    ("made", "want"),
    [
        pytest.param(resource_claim("theirs", device=device_name(0, 2)), "foreign", id="of somebody else"),
        pytest.param(
            resource_claim("theirs", namespace="x", device=device_name(0, 2)), "foreign", id="of any namespace"
        ),
        pytest.param(resource_claim("theirs"), None, id="without an allocation"),
        pytest.param(resource_claim("theirs", device=device_name(0, 2), admin=True), None, id="with adminAccess"),
        pytest.param(resource_claim("theirs", device=device_name(0, 2), driver="nic"), None, id="of another driver"),
        pytest.param(resource_claim("theirs", device=device_name(0, 2), pool="worker-9"), None, id="of another node"),
    ],
)
def test_resource_claims(fed: FedCluster, made: dict[str, Any], want: str | None) -> None:
    fed.put(fed.cluster.resource_claims, made)
    assert [holder.kind for holder in held(fed).values()] == ([want] if want else [])
    assert list(held(fed)) == ([f"{bdf(0)}/2"] if want else [])


def test_adminaccess_is_known_for_mode_changes(fed: FedCluster) -> None:
    fed.put(fed.cluster.resource_claims, resource_claim("spy", device=device_name(0, 2), admin=True))
    fed.put(fed.cluster.resource_claims, resource_claim("user", device=device_name(0, 3)))
    assert admin_held(fed.cluster) == {("worker-0", device_name(0, 2))}


def test_our_own_allocation_is_ours_whatever_device_it_is(fed: FedCluster) -> None:
    fed.put(fed.cluster.claims, bound_claim())
    fed.put(fed.cluster.resource_claims, resource_claim("aim-a", device=device_name(1, 5)))
    assert held(fed) == OURS | {f"{bdf(1)}/5": Holder("ours", "team-a/aim-a")}


def test_assumptions_hold_a_partition_and_resources(fed: FedCluster) -> None:
    fed.cluster.assumptions.add(
        Assumption("team-a/aim-b", "u", "worker-0", (PartitionId(bdf(1), 3),), Resources(500, 10, 1))
    )
    assert held(fed) == {f"{bdf(1)}/3": Holder("ours", "team-a/aim-b", Resources(500, 10, 1))}
    assert used(fed) == Resources(500, 10, 1)


def asking(name: str, cpu: str, **fields: Any) -> dict[str, Any]:
    return pod(name, container(requests={"cpu": cpu}), **fields)


def test_pods_on_the_node_use_it_and_one_that_is_bound_but_not_placed_too(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, asking("other", "2", claim=None, node="worker-0", phase="Running"))
    fed.put(fed.cluster.pods, asking("model-0", "1"))
    assert used(fed) == Resources(2000, 0, 1)
    fed.put(fed.cluster.claims, bound_claim())
    assert used(fed) == Resources(3000, 0, 2)
    fed.put(fed.cluster.pods, asking("model-0", "1", node="worker-0", gates=()))
    assert used(fed) == Resources(3000, 0, 2)


def test_a_claim_holds_with_what_its_pod_takes_of_the_node(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, asking("model-0", "1"))
    fed.put(fed.cluster.claims, bound_claim())
    assert held(fed)[f"{bdf(0)}/0"].resources == Resources(1000, 0, 1)
    fed.put(fed.cluster.pods, asking("model-0", "1", node="worker-0", gates=(), phase="Succeeded"))
    assert held(fed)[f"{bdf(0)}/0"].resources == Resources()


def group(*members: str) -> dict[str, Any]:
    """A share group's claim on the first partition, with shares of these pods."""
    made = bound_claim("aim-group-x")
    made["spec"] = {"shareGroup": "x", "requirement": made["spec"]["requirement"]}
    made["status"]["shares"] = [{"pod": {"name": name, "uid": f"uid-{name}"}, "bytes": 1 << 30} for name in members]
    return made


def test_a_share_group_holds_with_what_all_its_members_take_and_who_waits_counts_nowhere(fed: FedCluster) -> None:
    for name in ("a", "b", "waits"):
        fed.put(fed.cluster.pods, asking(name, "1", claim="aim-group-x"))
    fed.put(fed.cluster.claims, group("a", "b"))
    assert held(fed) == {f"{bdf(0)}/0": Holder("ours", "team-a/aim-group-x", Resources(2000, 0, 2))}
    assert used(fed) == Resources(2000, 0, 2)
    fed.put(fed.cluster.pods, asking("b", "1", claim="aim-group-x", node="worker-0", gates=()))
    assert used(fed) == Resources(2000, 0, 2)
    fed.put(fed.cluster.claims, group("a", "b", "waits"))
    assert used(fed) == Resources(3000, 0, 3)


def test_a_plan_has_its_gpus_in_hand(fed: FedCluster) -> None:
    fed.put(fed.cluster.plans, plan("p", numbers=(1,), phase="Applying"))
    (host,) = fed.cluster.snapshot().nodes
    assert [each.plan for each in host.gpus] == [None, "p"]


@pytest.mark.parametrize(("phase", "want"), [("Draining", ["p", "p"]), ("AwaitingApproval", [None, None])])
def test_a_plan_that_reloads_the_driver_has_every_gpu_of_its_node_in_hand_named_or_not(
    fed: FedCluster, phase: str, want: list[str | None]
) -> None:
    made = plan("p", numbers=(1,), phase=phase)
    made["spec"]["to"]["gpus"][0]["mode"] = "CPX/NPS4"
    fed.put(fed.cluster.plans, made)
    (host,) = fed.cluster.snapshot().nodes
    assert [each.plan for each in host.gpus] == want


def test_a_place_kept_for_a_moved_pod_is_seen(fed: FedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {("worker-0", PartitionId(bdf(0), 3)): Reservation("rs-1", "7f")}
    monkeypatch.setattr(fed.cluster.plan_table, "reservations", lambda: kept)
    seen = {str(p.id): p.reservation for _, _, p in fed.cluster.snapshot().partitions() if p.reservation is not None}
    assert seen == {f"{bdf(0)}/3": Reservation("rs-1", "7f")}
