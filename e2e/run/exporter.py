"""Runs the exporter as a child process with the identity it has in a cluster, beside simulated engines."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.plane import Plane, service_account_token
from e2e.plane.kubeconfig import write_kubeconfig
from e2e.run.install import Object, apply_objects
from e2e.run.processes import Worker

NAMESPACE = ACCOUNT = "aim-gpu-exporter"
INTERVAL_SECONDS = 2.0
"""Between two readings of an engine: figures move while somebody looks."""

THROUGH_THE_GATEWAY = ("--gateway-tells", "all")
"""For an exporter where all requests come by the gateway, KServe's services' too: what it tells nobody tells twice."""

_READY = "/readyz"


@asynccontextmanager
async def start_exporter(
    plane: Plane, folder: Path, addresses: Path, arguments: Sequence[str] = ()
) -> AsyncIterator[Worker]:
    """An exporter, ready, as ServiceAccount aim-gpu-exporter; ended on exit.

    `addresses`: where the engine of each pod listens, by uid. Raises ProcessDied, NotListening, AdminError.
    """
    token = await asyncio.to_thread(service_account_token, plane, NAMESPACE, ACCOUNT)
    kubeconfig = write_kubeconfig(
        folder / f"{ACCOUNT}.yaml", server=plane.server, authority=plane.ca, token=token, user=ACCOUNT
    )
    files = ("--kubeconfig", str(kubeconfig), "--addresses-file", str(addresses))
    command = ["exporter", *files, "--interval-seconds", str(INTERVAL_SECONDS), *arguments]
    worker = Worker(plane, "exporter", command, folder, _READY)
    try:
        await worker.start()
        yield worker
    finally:
        await worker.close()


def list_gateway(plane: Plane, *, ready: bool = True) -> None:
    """Say as a cluster would whether a gateway is there: a process on this machine is no Service's endpoint.

    Raises InstallError.
    """
    apply_objects(plane, [gateway_slice(ready=ready)])


def gateway_slice(*, ready: bool) -> Object:
    """The gateway's EndpointSlice. Nobody goes to its address, which is one for examples: a loopback one is refused."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "aim-gpu-gateway-here",
            "namespace": "aim-gpu-gateway",
            "labels": {"kubernetes.io/service-name": "aim-gpu-gateway"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": ready}}],
        "ports": [{"name": "https", "port": 8000, "protocol": "TCP"}],
    }
