import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from api.group import PINNED_NODE, SERVICE_LABEL
from controller.agent.occupancy import Occupancy
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.state.kinds import GPU_PARTITION_CLAIMS
from tests.builders.claim import allocation, claim
from tests.builders.gpu import device_name
from tests.builders.resource_claim import resource_claim
from tests.fakes.clock import LoopClock
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport

NODE = "worker-0"


def pinned(name: str, node: str, **fields: Any) -> dict[str, Any]:
    made = resource_claim(name, **fields)
    return {**made, "metadata": {**made["metadata"], "labels": {PINNED_NODE: node}}}


def made(*resource_claims: dict[str, Any], claims: Sequence[dict[str, Any]] = ()) -> FakeStore:
    """A store of these claims, their status included."""
    store = FakeStore(LoopClock(), (RESOURCE_CLAIMS, GPU_PARTITION_CLAIMS))
    for resource, objects in ((RESOURCE_CLAIMS, resource_claims), (GPU_PARTITION_CLAIMS, claims)):
        for obj in objects:
            stored = store.create(resource, obj)["metadata"]
            status = {"status": obj["status"]}
            store.write(resource, stored["name"], stored["namespace"], status, subresource="status")
    return store


@asynccontextmanager
async def following(store: FakeStore, node: str = NODE) -> AsyncIterator[Occupancy]:
    """An agent's view of the store that is in sync."""
    clock = LoopClock()
    transport = StoreTransport(store, "agent")
    async with Client(ClientConfiguration(server="https://fake"), clock=clock, transport=transport) as client:
        occupancy = Occupancy(client, node, clock, Random(1))
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(informer.run()) for informer in occupancy.informers]
            for informer in occupancy.informers:
                await informer.wait_synced(60.0)
            yield occupancy
            for task in running:
                task.cancel()


def followed(occupancy: Occupancy) -> list[str]:
    return sorted(key for informer in occupancy.informers for key in informer.store.keys())  # noqa: SIM118


@pytest.mark.looptime
async def test_what_is_pinned_to_other_nodes_is_not_even_sent() -> None:
    elsewhere = claim("aim-there", status={"phase": "Bound", "allocation": allocation("worker-1")})
    store = made(
        pinned("aim-here", NODE, device=device_name(0, 0)),
        pinned("aim-there", "worker-1", pool="worker-1", device=device_name(0, 0)),
        resource_claim("theirs", device=device_name(0, 1)),
        claims=[elsewhere],
    )
    async with following(store) as occupancy:
        assert followed(occupancy) == ["team-a/aim-here", "team-a/theirs"]
        assert occupancy.holders().keys() == {device_name(0, 0), device_name(0, 1)}


@pytest.mark.looptime
async def test_a_node_whose_name_no_label_can_hold_is_told_of_all() -> None:
    store = made(resource_claim("aim-here"))
    async with following(store, node=f"{'n' * 60}.example.com") as occupancy:
        assert (len(occupancy.informers), followed(occupancy)) == (2, ["team-a/aim-here"])


@pytest.mark.looptime
async def test_whose_a_claim_is_survives_what_is_kept_of_it() -> None:
    ours = claim("aim-a", pod="chat-0", status={"phase": "Bound", "allocation": allocation(NODE)})
    ours["metadata"]["labels"] = {SERVICE_LABEL: "chat", "team": "blue"}
    ours["spec"]["model"] = {"id": "Qwen/Qwen3-4B"}
    async with following(made(claims=[ours])) as occupancy:
        (held,) = occupancy.holders()[device_name(0, 0)]
    assert (held.pod, held.service, held.model) == ("chat-0", "chat", "Qwen/Qwen3-4B")
