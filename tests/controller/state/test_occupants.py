from typing import Any

import pytest

from controller.placement.occupant import Occupant
from controller.state.occupants import occupants
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.pod import pod

ENDING = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}


def seen(fed: FedCluster, *refused: str) -> list[Occupant]:
    cluster = fed.cluster
    return list(occupants(cluster.claim_table, cluster.pod_table, lambda node: f"policy of {node}", refused))


def held(**fields: Any) -> FedCluster:
    fed = FedCluster()
    fed.put(fed.cluster.claims, bound_claim())
    fed.put(fed.cluster.claims, claim("aim-waits"))
    fed.put(fed.cluster.pods, pod(gates=(), node="worker-0", phase="Running", priority=4, **fields))
    return fed


def test_a_claim_with_a_place_is_joined_with_its_pod() -> None:
    (found,) = seen(held())
    assert (found.key, found.uid, found.pod, found.namespace) == ("team-a/aim-a", "uid-model-0", "model-0", "team-a")
    assert (found.node, found.policy, found.priority) == ("worker-0", "policy of worker-0", 4)
    assert found.bytes == gpu().partitions[0].bytes
    assert (found.ready, found.owned, found.movable, found.leaving, found.refused) == (False, False, True, False, False)


def test_one_whose_eviction_was_refused_is_marked() -> None:
    (found,) = seen(held(), "uid-model-0")
    assert found.refused


@pytest.mark.parametrize(
    "fields", [pytest.param(ENDING, id="ending"), pytest.param({"metadata": {"uid": "x"}}, id="gone")]
)
def test_one_on_its_way_out_is_leaving(fields: dict[str, Any]) -> None:
    (found,) = seen(held(**fields))
    assert found.leaving


def test_a_share_groups_claim_is_nobodys_to_move() -> None:
    fed = FedCluster()
    spec = {"shareGroup": "g", "requirement": {"memory": "1Gi", "isolation": "cooperative"}}
    fed.put(fed.cluster.claims, {**bound_claim(), "spec": spec})
    (found,) = seen(fed)
    assert (found.movable, found.leaving) == (False, False)


def test_a_member_of_a_gang_names_it() -> None:
    gang = {"aim.amd.com/gang": "ranks", "aim.amd.com/gang-size": "4"}
    (found,) = seen(held(annotations={"aim.amd.com/gpu-sharing": "true"} | gang))
    assert found.gang == "ranks"
    assert [each.gang for each in seen(held())] == [""]
