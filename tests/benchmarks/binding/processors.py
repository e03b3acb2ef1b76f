"""Which process computes for how long: what the kernel has charged to each, user and system time together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.plane import Plane
from tests.integration.operator.running import Running

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1 << 20

OPERATOR = "operator"
AGENTS = "agents"
LOAD = "load"
"""This process: it creates the pods and watches."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor seconds by process, and the seconds that passed meanwhile."""

    seconds: float
    processor: Mapping[str, float]

    def a_pod(self, pods: int) -> dict[str, float]:
        """Milliseconds of a processor that each of so many pods took, by process."""
        return {name: 1000 * seconds / pods for name, seconds in self.processor.items()}

    @property
    def total(self) -> float:
        """Of all processes."""
        return sum(self.processor.values())


def processes(plane: Plane, cluster: Running | None = None) -> dict[str, int]:
    """Process ids by name: the plane's components, ours, and this one."""
    found = {name: child.pid for name, child in plane.children().items() if child.code is None}
    if cluster is not None:
        found |= {OPERATOR: cluster.operator.pid, AGENTS: cluster.agents.pid}
    return found | {LOAD: os.getpid()}


def spent(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds that each process has taken since it began."""
    return {name: processor_seconds(pid) for name, pid in pids.items()}


def between(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> Spent:
    """What was spent between two readings."""
    return Spent(seconds, {name: after[name] - before[name] for name in before})


def processor_seconds(pid: int) -> float:
    """User and system time of all threads of a process, those that have ended included."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int) -> float:
    """Memory of a process that is in RAM."""
    fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / _MIB
