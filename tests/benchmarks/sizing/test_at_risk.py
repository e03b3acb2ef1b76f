from dataclasses import replace

import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.verdict import Outcome
from tests.benchmarks.sizing.at_risk import at_risk_notes, largest_safe_share
from tests.benchmarks.sizing.identity import Names
from tests.benchmarks.sizing.measures import Measured, measured
from tests.benchmarks.sizing.observation import FILE, read
from tests.benchmarks.sizing.starts import start_of

NAMES = Names(Catalog.bundled())
ROWS = {row.obs_id: row for row in read(FILE)[0]}


def of(*labels: str) -> list[Measured]:
    return [measured(ROWS[label], start_of(ROWS[label], NAMES)) for label in labels]


def test_rows_of_one_setup_are_one_line_with_their_ends_and_the_share_that_is_safe() -> None:
    notes = "\n".join(at_risk_notes(of("EM018", "EM020", "EM111", "EM053")))
    assert "R9700 (gfx1201, 32 GB), 2 ranks, 0.98 asked for: 2 started, 0 failed; safe with 0.97" in notes
    assert "NVIDIA H100 80GB, 2 ranks, 0.95 asked for: 0 started, 1 failed; safe with 0.92" in notes


def test_starts_within_the_usual_share_are_counted_by_vendor() -> None:
    notes = at_risk_notes(of("EM018", "EM021", "EM053"))
    assert notes[-2:] == ["  AMD: 1 of 1 called safe", "  NVIDIA: 1 of 1 called safe"]


@pytest.mark.parametrize(("asked", "share"), [(0.98, 0.97), (0.95, 0.95), (0.5, 0.5)])
def test_the_largest_safe_share_is_no_more_than_was_asked_for(asked: float, share: float) -> None:
    [row] = of("EM020")
    settings = replace(row.start.settings, gpu_memory_utilization=asked)
    assert largest_safe_share(replace(row.start, settings=settings)) == share


def test_a_start_that_no_share_makes_safe_has_none() -> None:
    [row] = of("EM020")
    unknown = replace(row.start, engine_known=False)
    assert row.verdict.outcome is Outcome.AT_RISK
    assert largest_safe_share(unknown) is None
