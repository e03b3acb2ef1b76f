"""Members come and go in any order, the operator starts again in between: nothing given twice, nothing left behind."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.reconcilers.share_group.founding import LONGEST_GATHERING_SECONDS
from controller.runtime.client.core import NODES, PODS, RESOURCE_CLAIMS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.share_group.group import (
    allocate,
    arguments,
    member,
    open_pods,
    remove,
    rounds,
    shares,
    the_claim,
)
from tests.fakes.clock import FakeClock

MODELS = ("Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-1.5B-Instruct", "Qwen/Qwen3-4B")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.sampled_from(MODELS)),
        st.tuples(st.sampled_from(["leave", "restart", "look", "delete claim"]), st.integers(0, 5)),
    ),
    min_size=2,
    max_size=14,
)


class History:
    """One cluster through the steps."""

    def __init__(self) -> None:
        self.api, self.clock = InMemoryApi(), FakeClock()
        self.api.put(NODES, node_object())
        self.api.put(GPU_NODES, gpu_node())
        self.operator = Operator(self.api, self.clock)
        self.made = 0

    def pods(self) -> list[str]:
        return sorted(each["metadata"]["name"] for each in self.api.of(PODS))

    async def take(self, step: str, what: str | int) -> None:
        if step == "join":
            self.made += 1
            self.api.put(PODS, member(f"m{self.made:02}", annotations={"aim.amd.com/model-id": str(what)}))
        elif step == "leave" and self.pods():
            remove(self.api, self.pods()[int(what) % len(self.pods())])
        elif step == "restart":
            self.operator = Operator(self.api, self.clock)
        elif step == "delete claim" and self.api.of(GPU_PARTITION_CLAIMS):
            await self.api.delete(GPU_PARTITION_CLAIMS, the_claim(self.api)["metadata"]["name"], "team-a")
        self.clock.tick(LONGEST_GATHERING_SECONDS / 2)
        await rounds(self.operator, 2)
        if self.api.of(RESOURCE_CLAIMS) and self.api.of(GPU_PARTITION_CLAIMS) and shares(self.api):
            allocate(self.api)
        self.check()

    def check(self) -> None:
        """Members never have more than the partition; nobody is let go without a share."""
        claims = self.api.of(GPU_PARTITION_CLAIMS)
        assert len(claims) <= 1
        given = shares(self.api) if claims else {}
        assert open_pods(self.api) <= set(given)
        if not given:
            return
        (device,) = claims[0]["status"]["allocation"]["devices"]
        assert sum(share["bytes"] for share in given.values()) <= device["bytes"]
        told = [arguments(self.api, name) for name in open_pods(self.api)]
        assert sum(each["gpu-memory-utilization"] for each in told) <= 1
        masks = [share["computeUnits"] for share in given.values()]
        assert len(masks) == len(set(masks))

    async def end(self) -> None:
        for name in self.pods():
            remove(self.api, name)
        await rounds(self.operator, 4)
        assert self.api.of(GPU_PARTITION_CLAIMS) == self.api.of(RESOURCE_CLAIMS) == []


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_any_order_of_joins_leaves_and_restarts(steps: list[tuple[str, str | int]]) -> None:
    async def run() -> None:
        history = History()
        for step, what in steps:
            await history.take(step, what)
        await history.end()

    asyncio.run(run())
