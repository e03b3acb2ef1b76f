"""Runs the live map of the cluster as a child process with the identity it has there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.plane import Plane, service_account_token
from e2e.plane.kubeconfig import write_kubeconfig
from e2e.run.install import SYSTEM_NAMESPACE
from e2e.run.processes import Worker

ACCOUNT = "aim-gpu-ui"

_READY = "/readyz"


@asynccontextmanager
async def start_live_map(
    plane: Plane, folder: Path, tls: Path, arguments: Sequence[str] = (), name: str = ACCOUNT
) -> AsyncIterator[Worker]:
    """A map, ready, as the chart's ServiceAccount; ended on exit. The page's port is `ports["ui"]`.

    `tls`: the folder of tls.crt and tls.key. Raises ProcessDied, NotListening, AdminError.
    """
    token = await asyncio.to_thread(service_account_token, plane, SYSTEM_NAMESPACE, ACCOUNT)
    kubeconfig = write_kubeconfig(
        folder / f"{ACCOUNT}.yaml", server=plane.server, authority=plane.ca, token=token, user=ACCOUNT
    )
    command = ["ui-server", "--kubeconfig", str(kubeconfig), "--port", "0", "--tls-dir", str(tls), *arguments]
    worker = Worker(plane, name, command, folder, _READY)
    try:
        await worker.start()
        yield worker
    finally:
        await worker.close()
