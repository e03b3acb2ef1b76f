"""The search of the scheduler, kept short: it runs, counts and judges, and finds what is broken on purpose."""

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.scheduling.mutants import MUTANTS, Mutant
from tests.fuzz.scheduling.report import report
from tests.fuzz.scheduling.search import EVENTS, JUDGED, Tally, search

QUICK = (
    "assumptions are not kept",
    "holders are ignored",
    "what a pod is about to get is free",
    "claims of pods that are gone stay",
)
"""Defects that a few histories show; `make fuzz` looks for all of them."""


def test_a_short_search_holds_and_prints_its_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--subject", "scheduler", "--sequences", "12", "--seed", "3"]) == 0
    printed = capsys.readouterr()
    assert "scheduler, 12 histories, seed 3: invariants held in" in printed.out
    assert "  places written\n" in printed.out
    assert "[1/1] scheduler, 12 histories, seed 3" in printed.err


@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.name in QUICK], ids=lambda one: one.name)
def test_a_defect_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.put(monkeypatch)
    with pytest.raises((AssertionError, RuntimeError, ExceptionGroup)) as found:
        search(40, 1, shrink=False)
    assert mutant.shows(found.value), found.value


@pytest.mark.parametrize("count", [1_999, 2_000])
def test_what_never_happened_fails_a_search_that_is_long_enough(count: int) -> None:
    events = dict.fromkeys(EVENTS, 5) | {"node goes": 0}
    tally = Tally(count, 30 * count, events, dict.fromkeys(JUDGED, 5))
    assert tally.missing == ["node goes"]
    assert report("scheduler", tally, count, 1.0) is (count < 2_000)


def test_a_search_that_its_limit_cut_short_fails(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(100, 3_000, dict.fromkeys(EVENTS, 5), dict.fromkeys(JUDGED, 5))
    assert not report("scheduler", tally, 200, 60.0)
    assert "only 100 of 200 histories within 60 s" in capsys.readouterr().out
