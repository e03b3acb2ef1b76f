"""What an idle agent takes: `python -m tests.benchmarks.agent.footprint [--seconds 60] [--backend amdsmi]` prints
memory and processor time.

One process with one node of 64 partitions, beside an API server that answers in the measuring process. Simulated: once
as it is by itself, once asking a kubelet too. With AMD SMI, over the stub of its library, which needs a C compiler, it
reads the driver's files, asks a kubelet and serves its metrics over HTTPS: all that an agent of real GPUs does. It
reads its hardware and its processes every 10 s and renews its Lease, as on any node.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from controller.agent.node_agent import REFRESH_SECONDS
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_tree import write_tree
from controller.gpu.mode import Mode
from controller.runtime.client.core import LEASES, RESOURCE_CLAIMS, RESOURCE_SLICES
from controller.runtime.clock import RealClock
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.fakes.api_server import FakeApiServer
from tests.fakes.kubelet import FakeKubelet, plugged, pod
from tests.stubs.amdsmi.library import build
from tests.stubs.amdsmi.node import StubFolder, StubNode

NODE = "node-0"
MODE = "CPX/NPS4"
GPUS = 8
PARTITIONS = 64
MEMORY_LIMIT_MB = 90.0
CORE_LIMIT_PERCENT = 0.5

_MEGABYTE = 1_000_000
_STARTED_WITHIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """Resident memory at the end, and the share of one core over the time looked at, start left out."""

    resident_mb: float
    core_percent: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.resident_mb:.1f} MB resident, {self.core_percent:.3f} % of a core over {self.seconds:.0f} s"


@asynccontextmanager
async def idle_agent(folder: Path, *, asks_kubelet: bool, backend: str = "simulated") -> AsyncIterator[psutil.Process]:
    """An agent that has reported its node, renewed its Lease and, where it `asks_kubelet`, had its answer."""
    environment = amdsmi_host(folder) if backend == "amdsmi" else {}
    async with FakeApiServer() as api, FakeKubelet(folder / "kubelet.sock") as kubelet:
        for resource in (GPU_NODES, GPU_PARTITION_CLAIMS, RESOURCE_CLAIMS, RESOURCE_SLICES, LEASES):
            api.serve(resource)
        api.put(GPU_NODES, {"metadata": {"name": NODE, "generation": 1}, "spec": {}})
        kubelet.pods = [
            pod(f"llm-{number}", plugged("main", "amd.com/gpu", f"p{number}")) for number in range(PARTITIONS)
        ]
        (folder / "token").write_text("t")
        asking = ["--pod-resources-socket", str(kubelet.socket)] if asks_kubelet else []
        process = await asyncio.create_subprocess_exec(*command(folder, api.url, backend), *asking, env=environment)
        try:
            await started(lambda: reported(api, PARTITIONS if asks_kubelet else 0))
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            await process.wait()


def amdsmi_host(folder: Path) -> dict[str, str]:
    """Put AMD SMI's library and the driver's files there; the environment in which the package finds them."""
    rocm, stub = folder / "rocm", folder / "stub"
    build(rocm)
    stub.mkdir()
    StubFolder(stub).write(StubNode(MODE, gpus=GPUS))
    node = SimulatedBackend(SimulatedShape(Mode.parse(MODE), gpus=GPUS), RealClock(), held=frozenset, used=dict)
    write_tree(folder / "sys", node.node())
    return {"ROCM_PATH": str(rocm), "AMDSMI_STUB": str(stub)}


def command(folder: Path, server: str, backend: str) -> list[str]:
    """The agent's command line."""
    program = str(Path(sys.executable).with_name("aim-gpu"))
    listen = ["--bind-host", "127.0.0.1", "--health-port", "0", "--metrics-port", "0"]
    where = ["--server", server, "--token-file", str(folder / "token")]
    simulated = ["--node", f"{NODE}={MODE}", "--gpus", str(GPUS), "--metrics-plain"]
    real = ["--node-name", NODE, "--backend", backend, "--sysfs-root", str(folder / "sys")]
    node = simulated if backend == "simulated" else real
    return [program, "agent", *node, *listen, *where, "--log-level", "warning"]


def reported(api: FakeApiServer, assigned: int) -> bool:
    """Whether everything that the agent writes at its start is there."""
    status = api.objects(GPU_NODES)[NODE].get("status") or {}
    partitions = (status.get("summary") or {}).get("partitions")
    return partitions == PARTITIONS and len(status.get("assigned") or ()) == assigned and bool(api.objects(LEASES))


async def footprint(process: psutil.Process, seconds: float) -> Footprint:
    """Look at the agent over that time."""
    before = process.cpu_times()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return Footprint(process.memory_info().rss / _MEGABYTE, 100 * used / seconds, seconds)


async def started(condition: Callable[[], bool]) -> None:
    """Wait until the agent has done all that it does at its start. Raises TimeoutError."""
    async with asyncio.timeout(_STARTED_WITHIN_SECONDS):
        while not condition():  # noqa: ASYNC110 - the other end is a process
            await asyncio.sleep(0.05)


ROWS = {
    "simulated, by itself": ("simulated", False),
    "simulated, asking a kubelet": ("simulated", True),
    "amdsmi, asking a kubelet": ("amdsmi", True),
}
"""What is measured: its backend, and whether it asks a kubelet."""


async def main(seconds: float, only: str | None) -> int:
    """Measure and print; 1 when a row is over a limit. `only`: the rows of that backend, None: all."""
    over = []
    for name, (backend, asks_kubelet) in ROWS.items():
        if only is not None and backend != only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            async with idle_agent(Path(folder), asks_kubelet=asks_kubelet, backend=backend) as process:
                await asyncio.sleep(REFRESH_SECONDS)  # what a start leaves behind
                found = await footprint(process, seconds)
        sys.stdout.write(f"{name}: {found} (limits {MEMORY_LIMIT_MB:g} MB, {CORE_LIMIT_PERCENT:g} %)\n")
        over.append(found.resident_mb >= MEMORY_LIMIT_MB or found.core_percent >= CORE_LIMIT_PERCENT)
    return int(any(over))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.agent.footprint", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to look")
    parser.add_argument("--backend", choices=["simulated", "amdsmi"], help="only that one")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.seconds, given.backend)))
