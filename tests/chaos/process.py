"""The operator and the agents as a run of chaos starts them: their date can be moved, and their hardware tells.

In: the process's own folder (HOME) and name (POD_NAME). `<name>.clock` there holds how many seconds the process's date is
ahead; `hardware.jsonl` takes a line for every mode that is set and every reload, with the machine's own date.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Final

from controller.agent.simulated_backend import SimulatedBackend
from controller.gpu.mode import ComputeMode
from controller.runtime.clock import RealClock

PROGRAM: Final = (
    "from tests.chaos.process import arrange; from tests.integration.operator.warm_start import serve; "
    "arrange(); serve()"
)
"""What the parent of such processes runs."""
RECORD: Final = "hardware.jsonl"


def clock_file(folder: Path, name: str) -> Path:
    """Where a process of that name, whose folder it is, reads how far its date is ahead."""
    return folder / f"{name}.clock"


def arrange() -> None:
    """From now on this process, and those forked from it, are so; it must not be serving yet."""
    plain_now = RealClock.now

    def now(clock: RealClock) -> datetime:
        return plain_now(clock) + timedelta(seconds=_ahead())

    setattr(RealClock, "now", now)  # noqa: B010 - a method is replaced, on purpose
    set_compute, reload = SimulatedBackend.set_compute_mode, SimulatedBackend.reload_driver

    async def recorded_set(backend: SimulatedBackend, bdf: str, mode: ComputeMode) -> None:
        await _recorded(backend, "SetComputeMode", [bdf], lambda: set_compute(backend, bdf, mode))

    async def recorded_reload(backend: SimulatedBackend) -> None:
        gpus = [gpu.bdf for gpu in backend.node().present]
        await _recorded(backend, "ReloadDriver", gpus, lambda: reload(backend))

    for name, method in (("set_compute_mode", recorded_set), ("reload_driver", recorded_reload)):
        setattr(SimulatedBackend, name, wraps(getattr(SimulatedBackend, name))(method))


def _ahead() -> float:
    """Seconds; 0 until somebody has written the file."""
    file = clock_file(Path(os.environ["HOME"]), os.environ["POD_NAME"])
    try:
        return float(file.read_text(encoding="ascii") or 0.0)
    except FileNotFoundError:
        return 0.0


async def _recorded(backend: SimulatedBackend, what: str, gpus: list[str], act: Callable[[], Awaitable[Any]]) -> None:
    """Write the line once it is done: what was refused, or died half-way, has changed nothing."""
    begun = time.time()
    await act()
    state_file = backend._state_file
    assert state_file is not None
    line = {"node": state_file.stem, "what": what, "gpus": gpus, "begun": begun, "ended": time.time()}
    with (Path(os.environ["HOME"]) / RECORD).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
