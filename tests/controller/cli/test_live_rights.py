"""The rights that decisions need, asked before anything that decides is there."""

import pytest

from controller.cli.live_cluster import list_cluster, needed, read_cluster, watched, with_budgets
from controller.cli.live_rights import NEEDED, NotReadable, assumed, unreadable
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import POD_DISRUPTION_BUDGETS, REPLICA_SETS
from tests.controller.cli.fleet_scene import FleetServer
from tests.fakes.clock import SkippingClock


async def test_what_is_asked_for_is_what_is_listed() -> None:
    async with FleetServer() as server, Client(ClientConfiguration(server.url)) as client:
        live = watched(client, "aim-gpu-system", SkippingClock())
        assert [each.resource for each in needed(live.cluster)] == list(NEEDED)


async def test_each_right_that_is_missing_is_named_and_where() -> None:
    server = FleetServer()
    async with server, Client(ClientConfiguration(server.url)) as client:
        assert await unreadable(client, "aim-gpu-system") == frozenset()
        server.forbidden = {"nodes", "leases", "replicasets"}
        with pytest.raises(NotReadable) as refused:
            await unreadable(client, "aim-gpu-system")
    assert refused.value.resources == ("leases.coordination.k8s.io in aim-gpu-system", "nodes")


async def test_without_replica_sets_it_is_decided_nevertheless_and_said_what_is_assumed() -> None:
    server = FleetServer()
    server.forbidden = {"replicasets"}
    async with server, Client(ClientConfiguration(server.url)) as client:
        unread = await unreadable(client, "aim-gpu-system")
        live = await list_cluster(client, "aim-gpu-system", unread)
    assert unread == {REPLICA_SETS}
    assert live.assumed == (assumed(REPLICA_SETS),)
    assert live.assumed[0].startswith("the right to list replicasets.apps is missing: a moved pod counts as replaced")
    assert live.cluster.pods.synced
    assert not live.cluster.replica_sets.synced


async def test_with_all_rights_nothing_is_assumed() -> None:
    async with FleetServer() as server, Client(ClientConfiguration(server.url)) as client:
        live = await with_budgets(client, await read_cluster(client, "aim-gpu-system"))
    assert live.assumed == ()
    assert live.cluster.replica_sets.synced
    assert [each.name for each in live.budgets] == ["chat"]


async def test_without_disruption_budgets_it_is_said_who_may_be_kept() -> None:
    server = FleetServer()
    server.forbidden = {"replicasets", "poddisruptionbudgets"}
    async with server, Client(ClientConfiguration(server.url)) as client:
        live = await with_budgets(client, await read_cluster(client, "aim-gpu-system"))
    assert live.assumed == (assumed(REPLICA_SETS), assumed(POD_DISRUPTION_BUDGETS))
    assert live.budgets == ()
