"""The soak's path through a real plane, shorter than anything that could show a slope."""

from pathlib import Path

import pytest

from tests.soak.soak import Settings, Soak


@pytest.mark.alone
@pytest.mark.plane
async def test_a_short_soak_survives_a_restart_and_counts_everything(tmp_path: Path) -> None:
    told: list[str] = []
    settings = Settings(seconds=7.0, rate=80.0, seed=3, block_seconds=1.0, sample_seconds=0.5, calm_seconds=2.0)
    outcome = await Soak(settings, tmp_path / "log", told.append).run()
    assert outcome.restarts >= 1
    assert outcome.unreconciled == 0
    assert outcome.operations["create"] > 100
    assert outcome.reconciles > 100
    assert outcome.events > 0
    assert {row.metric for row in outcome.results} == {"rss_mb", "tasks", "descriptors"}
    assert len(outcome.samples) >= 3
    assert told
