from typing import Any

import pytest

from controller.reconcilers.gpu_partition_claim.adopting import adoptable, held_place
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.translate.pod import pod_view
from controller.translate.resource_claim import resource_claim_view
from tests.builders.cluster import FedCluster
from tests.builders.gpu import device_name, gpu
from tests.builders.pod import ASSIGNED, pod, typed_pod
from tests.builders.resource_claim import resource_claim, typed_resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator

RUNS: dict[str, Any] = {"gates": (), "node": "worker-0", "phase": "Running"}
GOES: dict[str, Any] = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
HELD: dict[str, Any] = {"device": device_name(0, 3)}


@pytest.mark.parametrize(
    ("present", "fields", "want"),
    [
        pytest.param(HELD, RUNS, True, id="a running pod with its device"),
        pytest.param(HELD, RUNS | {"phase": "Pending"}, True, id="one whose containers start"),
        pytest.param(None, RUNS, False, id="no ResourceClaim"),
        pytest.param({}, RUNS, False, id="a ResourceClaim without a device"),
        pytest.param({"device": "x", "driver": "other.example.com"}, RUNS, False, id="a device of others"),
        pytest.param({"device": "x", "owner_uid": "uid-other"}, RUNS, False, id="another pod's ResourceClaim"),
        pytest.param({"device": "x", "owner_uid": None}, RUNS, False, id="nobody's ResourceClaim"),
        pytest.param(HELD, {}, False, id="a gated pod"),
        pytest.param(HELD, RUNS | {"phase": "Succeeded"}, False, id="a pod that has ended"),
        pytest.param(HELD, RUNS | GOES, False, id="a pod that is going"),
    ],
)
def test_which_pod_is_adopted(present: dict[str, Any] | None, fields: dict[str, Any], want: bool) -> None:
    view = None if present is None else resource_claim_view(typed_resource_claim(**present))
    assert adoptable(view, pod_view(typed_pod(**fields))) is want


@pytest.mark.parametrize(
    ("pool", "device", "want"),
    [
        pytest.param("worker-1", device_name(1, 2), ("worker-1", 2), id="by pool and device"),
        pytest.param("worker-0", device_name(1, 2), None, id="a device that the node has not got"),
        pytest.param("worker-9", device_name(0, 0), None, id="a node without inventory"),
    ],
)
def test_the_partition_of_a_device(pool: str, device: str, want: tuple[str, int] | None) -> None:
    fed = FedCluster()
    fed.add_node("worker-0", gpu(0))
    fed.add_node("worker-1", gpu(0), gpu(1))
    found = held_place(fed.cluster.snapshot(), resource_claim_view(typed_resource_claim(device=device, pool=pool)))
    assert (found and (found.node.name, found.partition.id.index)) == want


def test_all_the_partitions_of_several_devices_or_none_while_one_is_not_known() -> None:
    fed = FedCluster()
    fed.add_node("worker-0", gpu(0))
    names = [device_name(0, 5), device_name(0, 2)]
    found = held_place(fed.cluster.snapshot(), resource_claim_view(typed_resource_claim(device=names)))
    assert found is not None
    assert [number.index for number in found.ids] == [2, 5]
    more = resource_claim_view(typed_resource_claim(device=[*names, "gpu-9-200"]))
    assert held_place(fed.cluster.snapshot(), more) is None


# In the flow.


async def test_a_deleted_claim_of_a_running_pod_is_made_again_as_it_was(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, pod(annotations=SMALL | ASSIGNED, **RUNS))
    api.put(RESOURCE_CLAIMS, resource_claim(**HELD))
    await operator.round()
    (made,) = api.of(GPU_PARTITION_CLAIMS)
    (device,) = made["status"]["allocation"]["devices"]
    assert (made["status"]["phase"], device["partition"]) == ("Allocated", 3)
    assert api.writes == ["create gpupartitionclaims", "replace gpupartitionclaims"]
    assert ("adopt", "success") in operator.counted
    settled = list(api.writes)
    await operator.round()
    assert api.writes == settled


async def test_an_adopted_partition_is_not_given_away(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, pod(annotations=SMALL, **RUNS))
    api.put(RESOURCE_CLAIMS, resource_claim(**HELD))
    await operator.round()
    operator.show()
    holders = {p.id.index: p.holder.name for _, _, p in operator.cluster.snapshot().partitions() if p.holder}
    assert holders == {3: "team-a/aim-a"}


async def test_a_running_pod_without_a_device_gets_no_claim(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, pod(annotations=SMALL, **RUNS))
    await operator.round()
    assert api.of(GPU_PARTITION_CLAIMS) == []
