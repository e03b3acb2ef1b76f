"""Runs the gateway as a child process with the identity it has in a cluster, before simulated engines."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.plane import Plane, service_account_token
from e2e.plane.kubeconfig import write_kubeconfig
from e2e.plane.ports import LOOPBACK
from e2e.run.processes import Worker

NAMESPACE = "aim-gpu-gateway"
ACCOUNT = "aim-gpu-gateway"
AUDIENCE = "aim-gpu-gateway"
"""Whom callers' tokens must be for."""

DRAIN_SECONDS = 1.0
"""How long what is under way may take when a run ends: nobody waits for it then."""

_READY = "/readyz"


def url(gateway: Worker) -> str:
    """Where its API is served. It speaks plain HTTP here: nobody else reaches the loopback address."""
    return f"http://{LOOPBACK}:{gateway.ports['gateway']}"


@asynccontextmanager
async def start_gateway(
    plane: Plane, folder: Path, addresses: Path, arguments: Sequence[str] = ()
) -> AsyncIterator[Worker]:
    """One gateway, ready; ended on exit. `addresses`: where the engine of each pod listens, by uid."""
    kubeconfig = await asyncio.to_thread(_kubeconfig, plane, folder)
    files = ("--kubeconfig", str(kubeconfig), "--addresses-file", str(addresses))
    command = ["gateway", *files, "--port", "0", "--insecure-http", "--drain-seconds", str(DRAIN_SECONDS), *arguments]
    worker = Worker(plane, "gateway", command, folder, _READY)
    try:
        await worker.start()
        yield worker
    finally:
        await worker.close()


def tokens(plane: Plane, namespaces: set[str]) -> dict[str, str]:
    """A token for the gateway of each namespace's ServiceAccount `default`, which comes soon after its namespace.

    Raises NotReady, ComponentDied, AdminError.
    """
    accounts = [f"/api/v1/namespaces/{name}/serviceaccounts/default" for name in namespaces]
    plane.wait_until(lambda: None not in map(plane.admin.find, accounts), "namespaces have their ServiceAccounts")
    return {
        namespace: service_account_token(plane, namespace, "default", audience=AUDIENCE)
        for namespace in sorted(namespaces)
    }


def _kubeconfig(plane: Plane, folder: Path) -> Path:
    """For the gateway's ServiceAccount. Raises AdminError when that is not installed."""
    return write_kubeconfig(
        folder / f"{ACCOUNT}.yaml",
        server=plane.server,
        authority=plane.ca,
        token=service_account_token(plane, NAMESPACE, ACCOUNT),
        user=ACCOUNT,
    )
