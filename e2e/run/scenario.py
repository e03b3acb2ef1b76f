"""One run from nothing: plan, plane, operator, agents, examples, and then whatever watches them."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.plane import Plane
from e2e.run.errors import ExampleError, RunError
from e2e.run.install import CRD_FILES, ROOT, add_gpu_nodes, apply_files, install
from e2e.run.observer import Observer, observe
from e2e.run.processes import Worker, start_agents, start_operator
from e2e.run.services import Wish, wishes

EXAMPLES = ROOT / "examples"
NODES_FILE = EXAMPLES / "cluster" / "nodes.yaml"

NODES: Mapping[str, str] = {"gpu-a": "SPX/NPS1", "gpu-b": "CPX/NPS4", "gpu-c": "DPX/NPS1"}
"""What is simulated: a node of eight MI300X each, and the mode its GPUs start in. The same as in NODES_FILE."""

TIME_SCALE = 1.0
"""Simulated mode changes take as long as on hardware; the one of the examples is a second or two."""

_PLAN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way. `started`: monotonic time at which the examples were applied."""

    plane: Plane
    observer: Observer
    operator: Worker
    agents: Worker
    wanted: Sequence[Wish]
    started: float

    def check(self) -> None:
        """Raise PlaneError or ProcessDied, with a log's tail, when a process has ended on its own."""
        self.plane.check()
        self.operator.check()
        self.agents.check()


def say(text: str) -> None:
    """Progress goes to stderr: stdout is for the table and the JSON line."""
    print(text, file=sys.stderr, flush=True)


def show_plan() -> None:
    """What `aim-gpu plan` expects of the examples, before anything is built. Raises ExampleError."""
    program = Path(sys.executable).with_name("aim-gpu")
    command = [str(program), "plan", "-f", str(EXAMPLES), "--nodes", str(NODES_FILE)]
    say("Expected, worked out offline by `aim-gpu plan -f examples/`:\n")
    done = subprocess.run(command, stdout=sys.stderr, timeout=_PLAN_SECONDS, check=False)
    if done.returncode != 0:
        raise ExampleError(f"aim-gpu plan ended with {done.returncode}; mend the examples it names")
    say("")


def example_files() -> tuple[Path, ...]:
    """The manifests of the examples. Raises ExampleError when there are none."""
    files = tuple(sorted(EXAMPLES.glob("*.yaml")))
    if not files:
        raise ExampleError(f"no *.yaml in {EXAMPLES}: nothing to apply")
    return files


@asynccontextmanager
async def run() -> AsyncIterator[Run]:
    """Everything started and the examples applied; all of it ended when the block ends, however it ends."""
    with tempfile.TemporaryDirectory(prefix="aim-run-") as name:
        folder = Path(name)
        say("Starting a local control plane (built on first use, then cached) ...")
        async with Plane(manifests=CRD_FILES) as plane:
            say(f"Control plane ready after {plane.statistics.ready_seconds:.1f} s; kubeconfig {plane.kubeconfig}")
            await asyncio.to_thread(install, plane)
            await asyncio.to_thread(add_gpu_nodes, plane, NODES)
            say(
                f"Nodes and GPUs are simulated: {', '.join(f'{name} 8 x MI300X {mode}' for name, mode in NODES.items())}"
            )
            async with (
                start_operator(plane, folder) as operator,
                start_agents(plane, folder, NODES, time_scale=TIME_SCALE) as agents,
                observe(plane) as observer,
            ):
                started = time.monotonic()
                applied = await asyncio.to_thread(apply_files, plane, example_files())
                wanted = wishes(applied)
                if not wanted:
                    raise RunError("the examples hold no InferenceService and no annotated Deployment")
                say(f"Examples applied: {len(wanted)} services\n")
                yield Run(plane, observer, operator, agents, wanted, started)
