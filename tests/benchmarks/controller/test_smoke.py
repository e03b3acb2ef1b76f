"""The benchmark's path through a real plane, small and without peers: what `make bench` would write."""

from pathlib import Path

import pytest

from e2e.plane import Progress
from tests.benchmarks.controller import benchmark, latency, memory
from tests.benchmarks.controller.benchmark import Benchmark
from tests.benchmarks.controller.settings import settings_of

LOOK = "runs=1 sizes=50 pinned_sizes= peers= pods=50 settle_seconds=0 changes=20 rate=50"


@pytest.mark.plane
async def test_a_look_without_peers_measures_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Pauses that make figures good, which nobody looks at here.
    for module, pause in ((benchmark, "_LOOK_SECONDS"), (latency, "_QUIET_SECONDS"), (memory, "_IDLE_SECONDS")):
        monkeypatch.setattr(module, pause, 0.1)
    report = await Benchmark(settings_of(LOOK), Progress(), tmp_path).run()
    found = {row.metric: row.ours for row in report.results}
    assert set(found) >= {
        "throughput_50",
        "cpu_50_s",
        "requests_per_object",
        "event_to_reconcile_p50_ms",
        "event_to_reconcile_p99_ms",
        "rss_50_pods_full",
        "rss_50_pods_projected_increment",
    }
    assert found["requests_per_object"] == pytest.approx(1.0, abs=0.05)
    assert 0 < found["event_to_reconcile_p50_ms"] <= found["event_to_reconcile_p99_ms"]
    assert found["rss_50_pods_full"] > 20
