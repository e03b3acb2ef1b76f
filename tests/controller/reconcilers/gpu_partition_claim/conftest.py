"""A stored cluster of one node, and an operator on it."""

import pytest

from controller.runtime.client.core import NODES, PODS
from controller.state.kinds import GPU_NODES
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.pod import pod
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def api() -> InMemoryApi:
    """One node in CPX/NPS4 and one gated pod for a model that fits there."""
    stored = InMemoryApi()
    stored.put(NODES, node_object())
    stored.put(GPU_NODES, gpu_node())
    stored.put(PODS, pod(annotations=SMALL))
    return stored


@pytest.fixture
def operator(api: InMemoryApi, clock: FakeClock) -> Operator:
    return Operator(api, clock)


SMALL = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-4B"}
