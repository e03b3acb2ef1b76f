"""Agents of many nodes without their processes: what one real agent reported, copied to every other node.

A thousand agents on one machine would be measured instead of the operator. The objects are the same, their names and
nodes apart: a GPUNode's status of 64 partitions, a ResourceSlice, and a Lease that is renewed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

from controller.agent.heartbeat import Heartbeat
from controller.runtime.client.client import Client
from controller.runtime.client.core import RESOURCE_SLICES
from controller.runtime.client.errors import NotFound
from controller.runtime.clock import RealClock
from controller.state.kinds import GPU_NODES

_AT_A_TIME: Final = 16
_LOOK_SECONDS: Final = 0.5
_HEARTBEAT_SECONDS: Final = 20.0
"""The operator believes a node for 40 s."""

Object = dict[str, Any]


@asynccontextmanager
async def stand_ins(client: Client, model: str, nodes: Sequence[str], limit: float) -> AsyncIterator[None]:
    """`nodes` report what the node `model` does, and their Leases are renewed until the block ends.

    Each first renewal is at a time of its own, as agents' are that were not started together: a successor of the
    operator believes a node when it has seen its Lease change.
    """
    async with asyncio.timeout(limit):
        template = (await client.get(GPU_NODES, model))["status"]
        slices = [each for each in (await client.list(RESOURCE_SLICES)).items if each["spec"].get("nodeName") == model]
        await _each(nodes, lambda node: _report(client, node, template))
        await _each(nodes, lambda node: _offer(client, node, slices))
    clock, rng = RealClock(), Random(1)
    async with asyncio.TaskGroup() as tasks:
        beating = [
            tasks.create_task(
                _beat(
                    Heartbeat(client, node, clock, rng, lambda: True, interval_seconds=_HEARTBEAT_SECONDS),
                    _HEARTBEAT_SECONDS * number / len(nodes),
                ),
                name=f"heartbeat of {node}",
            )
            for number, node in enumerate(nodes)
        ]
        try:
            yield
        finally:
            for task in beating:
                task.cancel()


async def _beat(heartbeat: Heartbeat, after: float) -> None:
    await asyncio.sleep(after)
    await heartbeat.run()


async def _each(nodes: Sequence[str], call: Callable[[str], Awaitable[None]]) -> None:
    left = iter(nodes)

    async def work() -> None:
        for node in left:
            await call(node)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_A_TIME):
            tasks.create_task(work())


async def _report(client: Client, node: str, status: Object) -> None:
    while True:
        try:
            await client.merge_patch(GPU_NODES, node, {"status": status}, subresource="status")
        except NotFound:  # the operator has yet to make it
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return


async def _offer(client: Client, node: str, slices: Sequence[Object]) -> None:
    for number, each in enumerate(slices):
        spec = {**each["spec"], "nodeName": node, "pool": {**each["spec"]["pool"], "name": node}}
        await client.create(RESOURCE_SLICES, {"metadata": {"name": f"{node}-bench-{number}"}, "spec": spec})
