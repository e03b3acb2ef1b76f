"""The long search of the scheduler as a command shows it: progress, counts, a verdict."""

import sys
import time
import traceback
from collections.abc import Mapping

import pytest

from e2e.plane.progress import Progress, Step
from tests.fuzz.scheduling.mutants import MUTANTS, Mutant
from tests.fuzz.scheduling.search import Tally, search

SEQUENCES = 2_000
LIMIT_SECONDS = 3_600.0
DEFECTS_WITHIN = 1_000
"""Histories within which each defect that is put in on purpose is to be found."""
_SECONDS_A_SEQUENCE = 0.2
_ENOUGH_TO_COUNT = 2_000
"""Below, what is rare may never happen by chance."""


def searched(count: int, number: int, limit: float = LIMIT_SECONDS) -> bool:
    """Search, print, judge; whether everything held, and enough was tried within `limit` seconds."""
    title = f"scheduler, {count} histories, seed {number}"
    end = time.monotonic() + limit
    try:
        with Progress().step(1, 1, title, count * _SECONDS_A_SEQUENCE) as step:
            tally = search(
                count,
                number,
                lambda done: step.tick(f"{done} of {count}"),
                lambda: time.monotonic() < end,
            )
    except Exception:  # noqa: BLE001 - hypothesis raises what was violated, with the history as a note
        sys.stdout.write(f"{title}: something is violated\n{traceback.format_exc()}\n")
        return False
    return report(title, tally, count, limit)


def report(title: str, tally: Tally, count: int, limit: float) -> bool:
    """Print the counts; whether there were as many histories as wanted, and everything happened in them."""
    sys.stdout.write(f"{title}: invariants held in {tally.sequences} histories, after each of {tally.steps} steps\n")
    _print_counts("events that really happened", tally.events)
    _print_counts("occasions to judge", tally.judged)
    if tally.sequences < count:
        sys.stdout.write(
            f"  only {tally.sequences} of {count} histories within {limit:.0f} s: raise LIMIT, or ask for fewer\n"
        )
        return False
    if count >= _ENOUGH_TO_COUNT and tally.missing:
        sys.stdout.write(f"  never happened: {', '.join(tally.missing)}\n")
        return False
    return True


def found(count: int, number: int) -> bool:
    """Look for each defect that is put in on purpose; whether all were found within `count` histories."""
    missed, progress = [], Progress()
    for place, mutant in enumerate(MUTANTS, 1):
        title = f"a defect: {mutant.name}"
        with (
            progress.step(place, len(MUTANTS), title, count * _SECONDS_A_SEQUENCE) as step,
            pytest.MonkeyPatch.context() as patch,
        ):
            mutant.put(patch)
            needed = _needed(mutant, count, number, step)
        sys.stdout.write(
            f"{title}: " + (f"found in history {needed}\n" if needed else f"NOT found in {count} histories\n")
        )
        missed += [] if needed else [mutant.name]
    return not missed


def _needed(mutant: Mutant, count: int, number: int, step: Step) -> int:
    """How many histories it took to find the defect; 0 when it was not found, or something else was."""
    drawn = 0

    def tick(done: int) -> None:
        nonlocal drawn
        drawn = done
        step.tick(f"{done} of {count}")

    try:
        search(count, number, tick, shrink=False)
    except Exception as error:  # noqa: BLE001 - whatever the search raises is what it found
        return drawn if mutant.shows(error) else 0
    return 0


def _print_counts(heading: str, counts: Mapping[str, int]) -> None:
    sys.stdout.write(f"  {heading}:\n")
    for name, count in counts.items():
        sys.stdout.write(f"    {count:7d}  {name}\n")
