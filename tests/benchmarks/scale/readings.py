"""What the operator's process says and takes, looked at every few seconds: memory, queues, errors."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from controller.runtime.metrics_text import samples
from e2e.plane.ports import LOOPBACK
from e2e.run.processes import Worker

EVERY_SECONDS: Final = 5.0
_DEPTH: Final = "workqueue_depth"
_BUSY: Final = "controller_runtime_active_workers"
_ERRORS: Final = "controller_runtime_reconcile_errors_total"
_KIB_A_MIB: Final = 1024
_ANSWER_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
_IDLE_LOOKS: Final = 3
_COMPLAINTS: Final = frozenset({"warning", "error", "critical"})
_LONGEST_COMPLAINT: Final = 160
"""Characters: more of an error's text names objects, and each would be a line of its own."""


@dataclass(frozen=True, slots=True)
class Look:
    """Items that wait, by queue; workers that are at work; reconciles that raised since the process began."""

    depths: Mapping[str, float]
    busy: float
    errors: float

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nobody works."""
        return not self.busy and not any(self.depths.values())


def look_of(page: str) -> Look:
    """What a page of the operator's metrics says. Pure."""
    depths: Counter[str] = Counter()
    busy = errors = 0.0
    for sample in samples(page, {_DEPTH, _BUSY, _ERRORS}):
        if sample.name == _DEPTH:
            depths[sample.labels["name"]] += int(sample.value)
        elif sample.name == _BUSY:
            busy += sample.value
        else:
            errors += sample.value
    return Look(depths, busy, errors)


async def look(operator: Worker) -> Look:
    """The same of the running process."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    url = f"http://{LOOPBACK}:{operator.ports['metrics']}/metrics"
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
        return look_of(await answer.text())


async def until_idle(operator: Worker) -> None:
    """Until it was seen to be idle some times in a row. Who calls says how long that may take."""
    looks = 0
    while looks < _IDLE_LOOKS:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            idle = (await look(operator)).idle
        except (aiohttp.ClientError, TimeoutError):
            idle = False
        looks = looks + 1 if idle else 0


def complaints(lines: Iterable[str]) -> Counter[str]:
    """How often a log warned of what, or worse, with the error's text where there is one. Pure."""
    found: Counter[str] = Counter()
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # a library's own line, or one of a traceback
        if entry.get("level") in _COMPLAINTS:
            told = f"{entry.get('event')}: {entry['error']}" if "error" in entry else str(entry.get("event"))
            found[told[:_LONGEST_COMPLAINT]] += 1
    return found


def peak_mib(pid: int) -> float:
    """The most memory that a process ever had in RAM."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / _KIB_A_MIB


@dataclass(slots=True)
class Depths:
    """The deepest that each queue was seen. `run` looks until cancelled."""

    operator: Worker
    deepest: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    """Looks that got no answer: the process was away, or too busy to give one."""

    async def run(self) -> None:
        """Look every few seconds."""
        while True:
            try:
                found = await look(self.operator)
            except (aiohttp.ClientError, TimeoutError):
                self.missed += 1
            else:
                for name, depth in found.depths.items():
                    self.deepest[name] = max(self.deepest[name], int(depth))
            await asyncio.sleep(EVERY_SECONDS)
