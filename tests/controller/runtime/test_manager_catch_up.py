"""A new leader begins on what its predecessor left, not on what its watches have brought so far."""

import asyncio

from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES
from controller.runtime.manager import Manager
from tests.fakes.api_server import FakeApiServer


class Lease:
    """An elector that lets its process lead when it is told to."""

    def __init__(self) -> None:
        self.given, self._ended = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        await self._ended.wait()

    def stop(self) -> None:
        self._ended.set()

    async def wait_leading(self) -> None:
        await self.given.wait()


class Leader:
    """Notes what the informer knows when the leader's work begins."""

    def __init__(self, nodes: "Informer[dict[str, object]]") -> None:
        self._nodes = nodes
        self.found: list[str] = []
        self.began = asyncio.Event()

    async def run(self) -> None:
        self.found = self._nodes.store.keys()
        self.began.set()
        await asyncio.Event().wait()


async def test_a_new_leader_reads_its_informers_anew_first(api: FakeApiServer, client: Client) -> None:
    lease, stop = Lease(), asyncio.Event()
    nodes = Informer(client, NODES)
    leader = Leader(nodes)
    manager = Manager(elector=lease)
    manager.add_informer(nodes)
    manager.add_leader_only(leader)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(manager.run(stop))
        await nodes.wait_synced(30)
        # written by the last leader; this replica's watch, which knows only the history, never brings it
        api.serve(NODES).objects["last-write"] = {
            "metadata": {"name": "last-write", "uid": "u", "resourceVersion": "1"}
        }
        assert nodes.store.keys() == []
        lease.given.set()
        await leader.began.wait()
        stop.set()
    assert leader.found == ["last-write"]
