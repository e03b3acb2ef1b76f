from io import StringIO

import pytest

from e2e.plane.progress import Progress
from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.placement.benchmark import Settings, decisions, run, settings_of, snapshots
from tests.benchmarks.placement.large_cluster import large_cluster


def test_every_part_gives_its_rows_on_a_small_cluster() -> None:
    told = StringIO()
    report = run(Progress(told), "nodes=12 changes=3 runs=1 small=2 large=3 huge=4", (snapshots, decisions))
    assert [line for line in told.getvalue().splitlines() if "done" not in line] == [
        "[1/2] placement, snapshots",
        "[2/2] placement, decisions",
    ]
    metrics = [row.metric for row in report.results]
    assert {"snapshot_build_seconds", "claim_change_us_p50", "decisions_per_second_4_nodes"} <= set(metrics)
    assert all(row.ours >= 0 for row in report.results)
    bounded = {row.metric for row in report.results if row.met is not None}
    assert bounded >= {
        "snapshot_build_seconds",
        "snapshot_rss_mib",
        "state_rss_mib",
        "claim_change_us_p50",
        "decision_cost_huge_to_large",
    }


def test_the_cluster_is_what_it_says() -> None:
    found = large_cluster(3, 5).cluster.snapshot()
    assert len(list(found.partitions())) == 3 * 64
    assert sum(partition.holder is not None for _, _, partition in found.partitions()) == 3
    assert all(node.fresh for node in found.nodes)


@pytest.mark.parametrize("data", ["nodes", "nodes=x", "nodes=0", "peers=3"])
def test_words_that_mean_nothing_are_named(data: str) -> None:
    with pytest.raises(SettingsError, match=f"DATA '{data}'"):
        settings_of(data)
    assert settings_of("nodes=5").nodes == 5
    assert settings_of("") == Settings()
