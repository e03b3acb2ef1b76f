"""Two operators whose certificates last eight seconds, asked for admission and conversion all the time."""

import asyncio
import base64
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.group import GROUP
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import ApiError
from controller.runtime.client.resource import Resource
from e2e.plane import Plane
from e2e.plane.ports import LOOPBACK
from e2e.run.install import SYSTEM_NAMESPACE
from e2e.run.processes import start_operators
from tests.integration.operator.running import opt_in, pod

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

LIFETIME = ("--certificate-lifetime", "8", "--authority-lifetime", "32")
ROTATIONS = 10
SECRET = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/aim-gpu-webhook-certificates"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gpusharingpolicies.{GROUP}"
POLICIES = Resource(GROUP, "v1alpha1", "gpusharingpolicies", "GPUSharingPolicy", namespaced=False)


@dataclass
class Load:
    """What is done again and again, by name, and each failure with its moment."""

    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = field(default_factory=time.monotonic)

    async def repeat(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        while not self.stop.is_set():
            try:
                await act()
            except (ApiError, OSError) as error:
                self.failures.append(f"{time.monotonic() - self.began:.1f} s: {name}: {error}")
            self.done[name] += 1
            await asyncio.sleep(0.04)


async def secret_data(plane: Plane, key: str) -> bytes:
    secret = await asyncio.to_thread(plane.admin.get, SECRET)
    return base64.b64decode(secret["data"][key])


async def handshake(plane: Plane) -> None:
    """A new connection that trusts what the definition says now, as an API server that has just started would."""
    config = (await asyncio.to_thread(plane.admin.get, CRD))["spec"]["conversion"]["webhook"]["clientConfig"]
    trusting = ssl.create_default_context(cadata=base64.b64decode(config["caBundle"]).decode())
    port = int(config["url"].removeprefix(f"https://{LOOPBACK}:").partition("/")[0])
    _, writer = await asyncio.open_connection(LOOPBACK, port, ssl=trusting)
    writer.close()


async def gated(client: Client, namespace: str) -> None:
    made = await client.create(PODS, pod("p", opt_in()), namespace, dry_run=True)
    assert made["spec"]["schedulingGates"]


async def test_nothing_fails_while_certificates_are_rotated_ten_times(
    installed_plane: Plane, namespace: str, tmp_path: Path
) -> None:
    plane, load, policy = installed_plane, Load(), f"rotation-{namespace}"
    await asyncio.to_thread(plane.admin.delete, SECRET)
    async with (
        start_operators(plane, tmp_path, arguments=LIFETIME) as operators,
        Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig)) as client,
    ):
        spec = {"nodeSelector": {"matchLabels": {"nowhere": "true"}}}
        hub = Resource(GROUP, "v1beta1", "gpusharingpolicies", "GPUSharingPolicy", namespaced=False)
        await client.create(hub, {"metadata": {"name": policy}, "spec": spec})
        leaves, authorities = set[bytes](), set[bytes]()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(load.repeat("pods created", lambda: gated(client, namespace)))
                tasks.create_task(load.repeat("v1alpha1 read", lambda: client.get(POLICIES, policy)))
            tasks.create_task(load.repeat("new connections", lambda: handshake(plane)))
            async with asyncio.timeout(120):
                while len(leaves) <= ROTATIONS:
                    leaves.add(await secret_data(plane, "tls.crt"))
                    authorities.add((await secret_data(plane, "ca.crt")).partition(b"-----END")[0])
                    operators.check()
                    await asyncio.sleep(0.3)
            load.stop.set()
        took = time.monotonic() - load.began
        await asyncio.to_thread(plane.admin.delete, f"{hub.path()}/{policy}")
    await asyncio.to_thread(plane.admin.delete, SECRET)
    print(
        f"\n{len(leaves) - 1} rotations of the certificate, {len(authorities) - 1} of its CA in {took:.0f} s: "
        f"{dict(load.done)}, {len(load.failures)} failures {load.failures[:5]}"
    )
    assert load.failures == []
    assert len(authorities) > 1
    assert min(load.done.values()) > 200
