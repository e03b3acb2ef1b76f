"""What a need says of the starts of AMD hardware."""

from dataclasses import replace

import pytest

from controller.sizing.catalog import Catalog
from tests.benchmarks.sizing.identity import Names
from tests.benchmarks.sizing.measures import Measured, measured
from tests.benchmarks.sizing.need import contradicted, needs
from tests.benchmarks.sizing.observation import FILE, read
from tests.benchmarks.sizing.starts import start_of

NAMES = Names(Catalog.bundled())
ROWS = {row.label: row for row in read(FILE)[0]}


def row(label: str) -> Measured:
    return measured(ROWS[label], start_of(ROWS[label], NAMES))


@pytest.mark.parametrize("label", ["EM011", "EM012", "EM031"])
def test_what_ran_out_of_memory_does_not_fit(label: str) -> None:
    assert [needed.fits for needed in needs([row(label)])] == [False]


def test_what_started_fits() -> None:
    assert [needed.fits for needed in needs([row("EM027"), row("EM029")])] == [True, True]


def test_other_hardware_is_left_out() -> None:
    assert needs([row("EM109")]) == ()


def test_a_need_that_fits_where_the_start_failed_is_a_contradiction() -> None:
    assert len(contradicted(needs([replace(row("EM027"), failed=True)]))) == 1
    assert contradicted(needs([row("EM027")])) == ()
