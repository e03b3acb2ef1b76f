"""A node-bound token writes the objects of its own node and of no other."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from controller.agent.heartbeat import SYSTEM_NAMESPACE
from controller.runtime.client.client import Client
from controller.runtime.client.core import LEASES, RESOURCE_SLICES
from controller.runtime.client.errors import Forbidden, Invalid
from controller.state.kinds import GPU_NODES
from tests.integration.agent.conftest import LEASES as LEASES_PATH
from tests.integration.agent.conftest import Site

pytestmark = pytest.mark.plane

Write = Callable[[Client, str], Awaitable[object]]


def slice_of(node: str, name: str) -> dict[str, object]:
    pool = {"name": node, "generation": 9, "resourceSliceCount": 1}
    return {"metadata": {"name": name}, "spec": {"driver": "gpu.amd.com", "nodeName": node, "pool": pool}}


async def write_status(client: Client, node: str) -> object:
    present = await client.get(GPU_NODES, node)
    status = {**present.get("status", {}), "fingerprint": "x"}
    return await client.replace(GPU_NODES, {**present, "status": status}, subresource="status")


async def create_lease(client: Client, node: str) -> object:
    lease = {"metadata": {"name": node, "namespace": SYSTEM_NAMESPACE}}
    return await client.create(LEASES, lease, dry_run=True)


async def patch_lease(client: Client, node: str) -> object:
    return await client.merge_patch(LEASES, node, {"spec": {"holderIdentity": "x"}}, SYSTEM_NAMESPACE)


async def create_slice(client: Client, node: str) -> object:
    return await client.create(RESOURCE_SLICES, slice_of(node, f"{node}-made"), dry_run=True)


async def published(client: Client, node: str) -> dict[str, Any]:
    """A node's slice; agents list them, and get none by name."""
    listed = await client.list(RESOURCE_SLICES, field_selector=f"spec.nodeName={node}")
    (found,) = [one for one in listed.items if one["metadata"]["name"] == f"{node}-gpu.amd.com-0"]
    return found


async def change_slice(client: Client, node: str) -> object:
    present = await published(client, node)
    pool = {**present["spec"]["pool"], "generation": 99}
    return await client.replace(RESOURCE_SLICES, {**present, "spec": {**present["spec"], "pool": pool}})


async def delete_slice(client: Client, node: str) -> None:
    await client.delete(RESOURCE_SLICES, f"{node}-gpu.amd.com-0")


WRITES = pytest.mark.parametrize(
    "write", [write_status, create_lease, patch_lease, create_slice, change_slice, delete_slice]
)


@pytest.fixture
async def victim(site: Site) -> str:
    """A node that an agent has published, and left."""
    node = site.add_node()
    async with site.agents({node: "SPX/NPS1"}):
        await site.until(lambda: site.plane.admin.find(f"{LEASES_PATH}/{node}") is not None, "a Lease")
    return node


@WRITES
async def test_another_nodes_token_is_refused_by_both_names(site: Site, victim: str, write: Write) -> None:
    other = site.add_node()
    async with site.client(other) as client:
        with pytest.raises((Forbidden, Invalid)) as refusal:
            await write(client, victim)
    assert victim in refusal.value.message
    assert other in refusal.value.message


@WRITES
async def test_a_token_of_no_node_is_refused(site: Site, victim: str, write: Write) -> None:
    async with site.client(None) as client:
        with pytest.raises((Forbidden, Invalid), match="bound to no node"):
            await write(client, victim)


@pytest.mark.parametrize("write", [write_status, patch_lease, create_slice, change_slice, delete_slice])
async def test_its_own_token_is_taken(site: Site, victim: str, write: Write) -> None:
    async with site.client(victim) as client:
        await write(client, victim)


async def test_a_slice_cannot_be_moved_to_the_own_node(site: Site, victim: str) -> None:
    other = site.add_node()
    async with site.client(other) as client:
        present = await published(client, victim)
        moved = {**present, "spec": {**present["spec"], "nodeName": other}}
        with pytest.raises((Forbidden, Invalid), match=victim):
            await client.replace(RESOURCE_SLICES, moved)


async def test_an_agent_publishes_amd_devices_only(site: Site, victim: str) -> None:
    foreign = slice_of(victim, f"{victim}-made")
    foreign["spec"] = {**foreign["spec"], "driver": "other.example.com"}  # type: ignore[dict-item]
    async with site.client(victim) as client:
        with pytest.raises((Forbidden, Invalid), match=r"gpu\.amd\.com only"):
            await client.create(RESOURCE_SLICES, foreign, dry_run=True)


async def test_the_spec_of_its_own_gpu_node_is_not_the_agents(site: Site, victim: str) -> None:
    async with site.client(victim) as client:
        with pytest.raises(Forbidden):
            await client.merge_patch(GPU_NODES, victim, {"spec": {"managed": False}})


async def test_nobody_else_is_looked_at(site: Site, victim: str) -> None:
    """The administrator writes all of it."""
    site.plane.admin.patch(f"/apis/aim.amd.com/v1beta1/gpunodes/{victim}/status", {"status": {"fingerprint": "x"}})
    site.plane.admin.patch(f"{LEASES_PATH}/{victim}", {"spec": {"holderIdentity": "x"}})


async def test_an_agent_publishes_its_own_pool_only(site: Site, victim: str) -> None:
    other = site.add_node()
    shadow = slice_of(victim, f"{victim}-shadow")
    shadow["spec"] = {**shadow["spec"], "pool": {"name": other, "generation": 99, "resourceSliceCount": 1}}  # type: ignore[dict-item]
    async with site.client(victim) as client:
        with pytest.raises((Forbidden, Invalid), match=f"pool '{other}'"):
            await client.create(RESOURCE_SLICES, shadow, dry_run=True)
