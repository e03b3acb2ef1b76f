"""What a bound pod and its claim say of the isolation they have."""

import pytest

from api.group import ASSIGNED_CU_MASK, ASSIGNED_ISOLATION
from controller.runtime.client.core import PODS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator


@pytest.mark.parametrize(
    ("mode", "want"), [("CPX/NPS4", "compute"), ("QPX/NPS4", "compute+bandwidth"), ("SPX/NPS1", "whole-gpu")]
)
async def test_claim_and_pod_tell_what_the_mode_isolates(
    api: InMemoryApi, operator: Operator, mode: str, want: str
) -> None:
    api.put(GPU_NODES, gpu_node("worker-0", gpu(mode=mode)))
    await operator.round()
    (claim,), (pod,) = api.of(GPU_PARTITION_CLAIMS), api.of(PODS)
    assert claim["status"]["allocation"]["isolation"] == want
    assert pod["metadata"]["annotations"][ASSIGNED_ISOLATION] == want
    assert ASSIGNED_CU_MASK not in pod["metadata"]["annotations"]
