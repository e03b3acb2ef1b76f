from datetime import UTC, datetime
from typing import Any

import pytest

from api.v1beta1.gpu_partition_claim import NominatedDevice, Nomination, NominationReason
from controller.gpu.identity import PartitionId
from controller.state.nominations import Nominated
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.demand import demand
from tests.builders.gpu import bdf
from tests.builders.pod import container, pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = "2026-01-01T01:00:00Z"


def nomination(*indices: int, node: str = "worker-0", time: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    devices = [{"bdf": bdf(0), "partition": index} for index in indices or (0,)]
    return {"node": node, "devices": devices, "reason": "Preemption", "victims": ["uid-b-0"], "time": time}


def waiting(name: str = "aim-a", kept: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return claim(name, status={"phase": "Pending"} | ({"nomination": kept} if kept else {}), **fields)


def assumed() -> Nominated:
    kept = Nomination(
        node="worker-0",
        devices=[NominatedDevice(bdf=bdf(0), partition=3)],
        reason=NominationReason.PREEMPTION,
        time=NOW,
    )
    return Nominated.of(demand("aim-a"), "team-a/model-0", kept)


@pytest.fixture
def fed() -> FedCluster:
    made = FedCluster()
    cluster = made.cluster
    made.put(cluster.pods, pod(priority=7))
    return made


def kept(fed: FedCluster) -> dict[int, tuple[str, int]]:
    found = fed.cluster.nominations.reservations()
    return {partition.index: (one.claim, one.priority) for (_, partition), one in found.items()}


def test_a_place_in_a_claims_status_is_kept_for_that_claim_with_its_pods_priority(fed: FedCluster) -> None:
    fed.put(fed.cluster.claims, waiting(kept=nomination(1, 2)))
    assert kept(fed) == {1: ("uid-team-a/aim-a", 7), 2: ("uid-team-a/aim-a", 7)}


def test_what_the_pod_will_take_of_the_node_is_awaited(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, pod("model-0", container(requests={"cpu": "2"}), priority=7))
    fed.put(fed.cluster.claims, waiting(kept=nomination()))
    (awaited,) = fed.cluster.nominations.awaited("worker-0")
    assert (awaited.claim, awaited.priority, awaited.resources.cpu_milli) == ("uid-team-a/aim-a", 7, 2000)
    assert fed.cluster.nominations.awaited("worker-1") == ()


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(None, id="the claim is gone"),
        pytest.param(waiting(), id="it is taken off the status"),
        pytest.param(bound_claim(), id="the claim has a place"),
    ],
)
def test_a_place_is_kept_no_longer(fed: FedCluster, after: dict[str, Any] | None) -> None:
    fed.put(fed.cluster.claims, waiting(kept=nomination()))
    if after is None:
        fed.drop(fed.cluster.claims, waiting(kept=nomination()))
    else:
        fed.put(fed.cluster.claims, after)
    assert kept(fed) == {}
    assert len(fed.cluster.nominations) == 0


def test_of_two_claims_for_one_partition_the_older_has_it(fed: FedCluster) -> None:
    fed.put(fed.cluster.claims, waiting("aim-b", nomination(0, time=LATER)))
    fed.put(fed.cluster.claims, waiting("aim-a", nomination(0)))
    assert kept(fed) == {0: ("uid-team-a/aim-a", 7)}


def test_what_was_decided_counts_until_it_is_shown_or_given_up(fed: FedCluster) -> None:
    fed.put(fed.cluster.claims, waiting())
    fed.cluster.nominations.assume(assumed())
    assert list(kept(fed)) == [3]
    fed.cluster.nominations.forget("team-a/aim-a")
    assert kept(fed) == {}
    fed.cluster.nominations.assume(assumed())
    fed.put(fed.cluster.claims, waiting(kept=nomination(1)))
    assert list(kept(fed)) == [1]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(bound_claim(), id="the claim has a place"),
        pytest.param(waiting(uid="another"), id="another claim of that name"),
    ],
)
def test_what_was_decided_for_a_claim_that_waits_no_more_is_forgotten(fed: FedCluster, after: dict[str, Any]) -> None:
    fed.cluster.nominations.assume(assumed())
    fed.put(fed.cluster.claims, after)
    assert len(fed.cluster.nominations) == 0


def test_the_snapshot_shows_it(fed: FedCluster) -> None:
    fed.add_node("worker-0")
    fed.put(fed.cluster.claims, waiting(kept=nomination(4)))
    host = fed.cluster.snapshot().node("worker-0")
    assert host is not None
    found = {one.id: one.reservation for gpu in host.gpus for one in gpu.partitions if one.reservation is not None}
    assert {number: one.claim for number, one in found.items()} == {PartitionId(bdf(0), 4): "uid-team-a/aim-a"}
    assert [one.claim for one in host.awaited] == ["uid-team-a/aim-a"]


def test_a_claim_without_a_pod_is_kept_nothing(fed: FedCluster) -> None:
    spec = {"shareGroup": "g", "requirement": {"memory": "1Gi", "isolation": "cooperative"}}
    fed.put(fed.cluster.claims, {**waiting(kept=nomination()), "spec": spec})
    assert kept(fed) == {}
