"""Prometheus' own judge of names, help and types: nothing to say about any process's page."""

import subprocess
from contextlib import closing

import pytest

from controller.runtime.instrument import Kind
from controller.runtime.instrumentation import counter_on, gauge_on, histogram_on
from controller.telemetry.catalogue import PROCESSES, RUNTIMES, exported_by
from controller.telemetry.histograms import Merged
from controller.telemetry.metrics import Metrics
from e2e.prometheus.programs import Programs

pytestmark = pytest.mark.needs_prometheus


async def whole_page(process: str) -> bytes:
    """A series of everything that the process may tell, the runtime's by the SDK as it is told."""
    with closing(Metrics(process)) as metrics:
        for one in exported_by(process).values():
            values = tuple(f"a {label}" for label in one.labels)
            if one in RUNTIMES:
                labels = dict(zip(one.labels, values, strict=True))
                match one.kind:
                    case Kind.COUNTER:
                        counter_on(metrics.meter, one).add(1, labels)
                    case Kind.GAUGE:
                        gauge_on(metrics.meter, one).set(1, labels)
                    case Kind.HISTOGRAM:
                        histogram_on(metrics.meter, one).record(1, labels)
            elif one.kind is Kind.HISTOGRAM:
                row = Merged(one.buckets, [1] * (len(one.buckets) + 1), 1.0)
                metrics.observe_histograms(one, lambda values=values, row=row: [(values, row)])  # type: ignore[misc]
            elif one.name != "aim_build_info":
                metrics.observe(one, lambda values=values: [(values, 1.0)])  # type: ignore[misc]
        return await metrics.exposition()


@pytest.mark.parametrize("process", PROCESSES)
async def test_promtool_finds_nothing(process: str, prometheus_programs: Programs) -> None:
    page = await whole_page(process)
    names = {line.split()[2] for line in page.decode().splitlines() if line.startswith("# TYPE")}
    assert names == set(exported_by(process))
    assert judged(prometheus_programs, page) == ("", "", 0)


def judged(programs: Programs, page: bytes) -> tuple[str, str, int]:
    """What `promtool check metrics` says."""
    found = subprocess.run([programs.promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    return found.stdout.decode(), found.stderr.decode(), found.returncode


def test_it_would_say_something(prometheus_programs: Programs) -> None:
    _, said, status = judged(prometheus_programs, b"# TYPE aim_wait counter\naim_wait 1\n")
    assert "aim_wait" in said
    assert status != 0
