"""A kind with two versions, converted by our webhook behind the plane's balancer; replicas are processes of their own.

    API server -> balancer -> replica (this file, run with -m) -> Secret with the certificate of all replicas

v1 holds `spec.size`, v2 `spec.sizes`; v1 is stored, so every read of a v2 is a conversion.
"""

import argparse
import asyncio
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
import uvloop

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.bundle import CertificateKeeper, SecretName
from controller.runtime.certs.rotation import RotationPolicy
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CUSTOM_RESOURCE_DEFINITIONS
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest
from controller.runtime.webhook.conversion import ConversionFailed
from controller.runtime.webhook.server import WebhookServer
from e2e.plane import Balancer, Plane

ROOT = Path(__file__).parents[3]
PATH = "/convert"
SECRET = "gadget-webhook"
#: Seconds. The way of a bundle from the Secret to the API server takes well under one; the machine may be busy.
SETTLE = 2.0
LOOK = 0.5


def convert(desired: str, objects: list[Manifest]) -> list[Manifest]:
    """v1 <-> v2. More than one size has no place in v1."""
    for obj in objects:
        spec = obj["spec"]
        if desired.endswith("/v2"):
            obj["spec"] = {"sizes": [spec["size"]]}
        elif len(spec["sizes"]) != 1:
            raise ConversionFailed(f"spec.sizes {spec['sizes']}: v1 holds one size; give one, or read v2")
        else:
            obj["spec"] = {"size": spec["sizes"][0]}
        obj["apiVersion"] = desired
    return objects


def keeper_of(client: Client, namespace: str, settle: float) -> CertificateKeeper:
    """A keeper that looks often and settles soon."""
    policy = RotationPolicy(settle=timedelta(seconds=settle))
    return CertificateKeeper(
        client, SecretName(namespace, SECRET), ["127.0.0.1"], policy=policy, look_seconds=min(LOOK, settle / 4)
    )


# A replica ------------------------------------------------------------------------------------------------------------


async def serve(kubeconfig: Path, namespace: str, settle: float) -> None:
    """Serve conversions until SIGTERM, or until whoever started it is gone; the first line on stdout is the port."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    async with Client(ClientConfiguration.from_kubeconfig(kubeconfig)) as client, asyncio.TaskGroup() as tasks:
        server = WebhookServer("127.0.0.1", 0)
        server.handle_conversion(PATH, convert)
        keeper = keeper_of(client, namespace, settle)
        keeper.on_change(server.replace_certificate)
        running = [tasks.create_task(keeper.run()), tasks.create_task(server.run())]
        await server.wait_started(60)
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        await stop.wait()
        for task in running:
            task.cancel()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--settle", type=float, required=True)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.kubeconfig, options.namespace, options.settle))


# A test's side --------------------------------------------------------------------------------------------------------


@dataclass
class Replica:
    """A running replica and its port."""

    process: asyncio.subprocess.Process
    port: int = 0

    async def end(self, number: signal.Signals) -> None:
        """Send the signal and wait for the end."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        if self.process.stdin is not None:
            self.process.stdin.close()
        async with asyncio.timeout(30):
            await self.process.wait()


@dataclass
class World:
    """The kind, its webhook and what tests do with them."""

    plane: Plane
    client: Client
    balancer: Balancer
    namespace: str
    group: str
    keeper: CertificateKeeper
    replicas: list[Replica] = field(default_factory=list)
    published: int = 0

    def resource(self, version: str) -> Resource:
        return Resource(self.group, version, "gadgets", "Gadget")

    async def create(self, name: str, size: int = 1) -> Manifest:
        spec = {"metadata": {"name": name}, "spec": {"size": size}}
        return await self.client.create(self.resource("v1"), spec, self.namespace)

    async def start_replica(self) -> Replica:
        """One more process behind the balancer, that serves."""
        arguments = ["--kubeconfig", str(self.plane.kubeconfig), "--namespace", self.namespace, "--settle", str(SETTLE)]
        with (self.plane.folder / "logs" / f"replica-{uuid.uuid4().hex[:6]}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", __name__, *arguments),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        replica = Replica(process)
        self.replicas.append(replica)
        assert process.stdout is not None
        async with asyncio.timeout(60):
            replica.port = int(await process.stdout.readline())
        self.balancer.add(replica.port)
        return replica

    async def end_replica(self, replica: Replica, number: signal.Signals) -> None:
        """Send one the signal, wait for its end, and forget it; the balancer is left as it is."""
        await replica.end(number)
        self.replicas.remove(replica)

    async def empty(self, key: str) -> None:
        """Take what the Secret has under `key`."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{SECRET}"
        await asyncio.to_thread(self.plane.admin.patch, path, {"data": {key: ""}})

    async def publish(self, changed: asyncio.Event) -> None:
        """Write the bundle into the CRD whenever the keeper has another."""
        while True:
            await changed.wait()
            changed.clear()
            config = {"url": f"https://127.0.0.1:{self.balancer.port}{PATH}", "caBundle": self.keeper.ca_bundle}
            await self.client.merge_patch(
                CUSTOM_RESOURCE_DEFINITIONS,
                f"gadgets.{self.group}",
                {"spec": {"conversion": {"webhook": {"clientConfig": config}}}},
            )
            self.published += 1


@asynccontextmanager
async def world(plane: Plane, namespace: str, replicas: int = 2) -> AsyncIterator[World]:
    """The CRD, the balancer and the replicas, until the end; the CRD goes before its webhook does."""
    group = f"g{uuid.uuid4().hex[:8]}.example"
    configuration = ClientConfiguration.from_kubeconfig(plane.kubeconfig)
    async with Client(configuration) as client, asyncio.TaskGroup() as tasks:
        with Balancer() as balancer:
            keeper, changed = keeper_of(client, namespace, SETTLE), asyncio.Event()
            made = World(plane, client, balancer, namespace, group, keeper)
            keeping = tasks.create_task(keeper.run())
            await keeper.wait_started(30)
            await asyncio.to_thread(plane.admin.apply, [definition(group, balancer.port, keeper.certificate)])
            keeper.on_change(lambda _: changed.set())
            publishing = tasks.create_task(made.publish(changed))
            try:
                for _ in range(replicas):
                    await made.start_replica()
                await established(made)
                yield made
            finally:
                await asyncio.to_thread(remove, plane, group, namespace)
                for task in (keeping, publishing):
                    task.cancel()
                for replica in made.replicas:
                    await replica.end(signal.SIGTERM)


async def established(made: World) -> None:
    """Wait until the API server serves both versions."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{made.group}"

    def done() -> bool:
        found = made.plane.admin.get(path).get("status", {}).get("conditions", ())
        return any(condition["type"] == "Established" and condition["status"] == "True" for condition in found)

    await asyncio.to_thread(made.plane.wait_until, done, "the CRD is established")
    paths = [made.resource(version).path(made.namespace) for version in ("v1", "v2")]
    await asyncio.to_thread(
        made.plane.wait_until,
        lambda: all(made.plane.admin.raw("GET", path)[0] == 200 for path in paths),
        "it is served",
    )


def remove(plane: Plane, group: str, namespace: str) -> None:
    """Delete the objects and the CRD while the webhook is there: later nobody could read what is to be deleted."""
    plane.admin.request("DELETE", f"/apis/{group}/v1/namespaces/{namespace}/gadgets")
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{group}"
    plane.admin.delete(path)
    plane.wait_until(lambda: plane.admin.find(path) is None, "the CRD is gone")


def definition(group: str, port: int, certificate: ServingCertificate | None) -> dict[str, Any]:
    """The CRD."""
    assert certificate is not None
    sizes = {"v1": {"size": {"type": "integer"}}, "v2": {"sizes": {"type": "array", "items": {"type": "integer"}}}}
    versions = [
        {
            "name": version,
            "served": True,
            "storage": version == "v1",
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "properties": properties}},
                }
            },
        }
        for version, properties in sizes.items()
    ]
    config = {"url": f"https://127.0.0.1:{port}{PATH}", "caBundle": certificate.ca_bundle}
    conversion = {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": config}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"},
            "scope": "Namespaced",
            "conversion": conversion,
            "versions": versions,
        },
    }


if __name__ == "__main__":
    main()
