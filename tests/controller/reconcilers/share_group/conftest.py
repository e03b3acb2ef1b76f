"""A stored cluster of one node in CPX/NPS4 with three members of a group that wait, and an operator on it."""

import pytest

from controller.reconcilers.share_group.founding import GATHER_SECONDS
from controller.runtime.client.core import NODES, PODS
from controller.state.kinds import GPU_NODES
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.share_group.group import KEY, allocate, member, rounds
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def api() -> InMemoryApi:
    stored = InMemoryApi()
    stored.put(NODES, node_object())
    stored.put(GPU_NODES, gpu_node())
    for name in ("a", "b", "c"):
        stored.put(PODS, member(name))
    return stored


@pytest.fixture
def operator(api: InMemoryApi, clock: FakeClock) -> Operator:
    return Operator(api, clock)


@pytest.fixture
async def founded(api: InMemoryApi, operator: Operator, clock: FakeClock) -> Operator:
    """The group has its partition, every member its share, and the scheduler has spoken."""
    await operator.round(KEY)
    clock.tick(GATHER_SECONDS)
    await rounds(operator)
    allocate(api)
    await rounds(operator)
    return operator
