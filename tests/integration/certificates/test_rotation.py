"""Two operators whose certificates last eight seconds, asked for admission and conversion all the time."""

import asyncio
import base64
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.group import GROUP
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS
from controller.runtime.client.resource import Resource
from e2e.plane import Plane
from e2e.plane.ports import LOOPBACK
from e2e.run.install import SYSTEM_NAMESPACE
from e2e.run.processes import start_operators
from tests.integration.certificates.load import Load, handshake
from tests.integration.operator.running import opt_in, pod

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

LIFETIME = ("--certificate-lifetime", "8", "--authority-lifetime", "32")
ROTATIONS = 10
SECRET = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/aim-gpu-webhook-certificates"
DEFINITION = f"gpusharingpolicies.{GROUP}"
POLICIES = Resource(GROUP, "v1alpha1", "gpusharingpolicies", "GPUSharingPolicy", namespaced=False)


@dataclass
class Rotations:
    """What the Secret held, look after look: leaves, and authorities that signed."""

    plane: Plane
    leaves: set[bytes] = field(default_factory=set)
    authorities: set[bytes] = field(default_factory=set)

    def enough(self) -> bool:
        """Ten rotations of the leaf, and one of its authority."""
        return len(self.leaves) > ROTATIONS and len(self.authorities) > 1

    def look(self) -> None:
        """Look once."""
        data = self.plane.admin.get(SECRET)["data"]
        self.leaves.add(base64.b64decode(data["tls.crt"]))
        self.authorities.add(base64.b64decode(data["ca.crt"]).partition(b"-----END")[0])


async def gated(client: Client, namespace: str) -> None:
    made = await client.create(PODS, pod("p", opt_in()), namespace, dry_run=True)
    assert made["spec"]["schedulingGates"]


async def test_nothing_fails_while_certificates_are_rotated_ten_times(
    installed_plane: Plane, namespace: str, tmp_path: Path
) -> None:
    # A moderate load: the certificates' times are short, and whatever slows the operators down is on this machine.
    plane, load, policy = installed_plane, Load(pause_seconds=0.08), f"rotation-{namespace}"
    began = time.monotonic()
    await asyncio.to_thread(plane.admin.delete, SECRET)
    async with (
        start_operators(plane, tmp_path, arguments=LIFETIME) as operators,
        Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig)) as client,
    ):
        spec = {"nodeSelector": {"matchLabels": {"nowhere": "true"}}}
        hub = Resource(GROUP, "v1beta1", "gpusharingpolicies", "GPUSharingPolicy", namespaced=False)
        await client.create(hub, {"metadata": {"name": policy}, "spec": spec})
        rotations = Rotations(plane)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(load.repeat("pods created", lambda: gated(client, namespace)))
                tasks.create_task(load.repeat("v1alpha1 read", lambda: client.get(POLICIES, policy)))
            tasks.create_task(
                load.repeat("new connections", lambda: handshake(plane, DEFINITION, LOOPBACK, plane.webhook_port))
            )
            async with asyncio.timeout(150):
                while not rotations.enough():
                    await asyncio.to_thread(rotations.look)
                    operators.check()
                    await asyncio.sleep(0.3)
            load.stop.set()
        took = time.monotonic() - began
        await asyncio.to_thread(plane.admin.delete, f"{hub.path()}/{policy}")
    await asyncio.to_thread(plane.admin.delete, SECRET)
    print(
        f"\n{len(rotations.leaves) - 1} rotations of the certificate, {len(rotations.authorities) - 1} of its CA "
        f"in {took:.0f} s: "
        f"{dict(load.done)}, {len(load.failures)} failures {load.failures[:5]}"
    )
    assert load.failures == []
    assert min(load.done.values()) > 100
