"""How long from a gate that is removed until the container runs: the API server's clock and the container's own.

`pytest -s -m node_e2e` prints the figures. A container's first command reads /proc/uptime, which is the host's, to 10 ms; when a gate
went is the time at which the API server had answered the operator's patch, from its audit log.
"""

import statistics
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from tests.integration.node.operated import Operated, asking
from tests.integration.node.workloads import create, log

pytestmark = [pytest.mark.plane, pytest.mark.needs_kubelet, pytest.mark.node_e2e, pytest.mark.timeout(300)]

RUNS = "read up _ < /proc/uptime; echo uptime $up; sleep 1000"
RESOLUTION_SECONDS = 0.01


def booted() -> float:
    """When this machine's uptime was 0, in seconds since 1970."""
    return time.time() - float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])


def started(operated: Operated, path: str) -> float:
    """When the pod's container ran its first command, in seconds since 1970; waits for it."""
    operated.agent.eventually(lambda: log(operated.plane, path).startswith("uptime "), f"{path} runs")
    return booted() + float(log(operated.plane, path).removeprefix("uptime "))


def let_go(operated: Operated, namespace: str) -> dict[str, float]:
    """Pod -> when its gate was gone, in seconds since 1970."""
    return {
        entry["objectRef"]["name"]: datetime.fromisoformat(entry["stageTimestamp"]).timestamp()
        for entry in operated.audited(namespace, "patch")
        if entry["responseStatus"]["code"] == 200
    }


def measured(operated: Operated, namespace: str, paths: Sequence[str]) -> list[float]:
    """Seconds from gate to start for each of these pods."""
    starts = {path.rpartition("/")[2]: started(operated, path) for path in paths}
    gone = let_go(operated, namespace)
    return sorted(when - gone[name] for name, when in starts.items())


def tell(what: str, seconds: Sequence[float]) -> None:
    told = f"{statistics.median(seconds):.2f} s, {seconds[0]:.2f} to {seconds[-1]:.2f} s, {len(seconds)} pods"
    print(f"\ngate removed until the container runs, {what}: median {told}")


def test_one_by_one_no_container_runs_before_its_gate_is_gone(operated: Operated, node_namespace: str) -> None:
    seconds = []
    for number in range(5):
        path = create(operated.plane, node_namespace, asking(f"one-{number}", RUNS))
        seconds += measured(operated, node_namespace, [path])

    tell("one by one", sorted(seconds))
    assert min(seconds) > -RESOLUTION_SECONDS


def test_of_eight_at_once_no_container_runs_before_its_gate_is_gone(operated: Operated, node_namespace: str) -> None:
    paths = [create(operated.plane, node_namespace, asking(f"all-{number}", RUNS)) for number in range(8)]

    seconds = measured(operated, node_namespace, paths)

    tell("eight at once", seconds)
    assert min(seconds) > -RESOLUTION_SECONDS
