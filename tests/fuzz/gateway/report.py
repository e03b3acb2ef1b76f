"""The long search of the gateway as a command shows it: progress, counts, a verdict."""

import json
import subprocess
import sys
import time
import traceback
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from e2e.plane.progress import Progress, Step
from tests.fuzz.gateway.mutants import MUTANTS, Mutant
from tests.fuzz.gateway.play import STEPS, play
from tests.fuzz.gateway.search import Tally, scripts, search

LIMIT_SECONDS = 600.0
DEFECTS_WITHIN = 1_000
"""Scripts within which each defect that is put in on purpose is to be found."""
FOLDER = Path("build/fuzz/gateway")
_SECONDS_A_SCRIPT = 0.03
_ENOUGH_TO_COUNT = 2_000
"""Scripts below which what is rare may never happen by chance."""
_OUTCOMES = ("200", "429", "499 ClientGone", "502 EngineFailed", "503 NoEndpoint", "504 EngineSilent", "200 EngineLost")
WANTED = frozenset(_OUTCOMES) | {step.__name__ for step in STEPS}
_TIME_TO_END = 60.0


def searched(seed: int, limit: float = LIMIT_SECONDS, folder: Path = FOLDER) -> bool:
    """Search for `limit` seconds, print, judge; whether everything held, and everything happened."""
    guided = find_spec("atheris") is not None
    title = f"gateway, {limit:.0f} s of scripts {'steered by what they reach' if guided else 'drawn at random'}, seed {seed}"
    with Progress().step(1, 1, title, limit) as step:
        tally = _guided(seed, limit, folder, step) if guided else _drawn(seed, limit, step)
    return tally is not None and report(title, tally)


def report(title: str, tally: Tally) -> bool:
    """Print the counts; whether everything happened that has to, in so many scripts."""
    sys.stdout.write(f"{title}: everything held in {tally.scripts} scripts, after each of their steps\n")
    for name, count in tally.happened.most_common():
        sys.stdout.write(f"    {count:7d}  {name}\n")
    missing = sorted(WANTED - set(tally.happened)) if tally.scripts >= _ENOUGH_TO_COUNT else []
    if missing:
        sys.stdout.write(f"  never happened: {', '.join(missing)}\n")
    return not missing


def _drawn(seed: int, limit: float, step: Step) -> Tally | None:
    end = time.monotonic() + limit

    def go_on(played: int) -> bool:
        step.tick(f"{played} scripts")
        return time.monotonic() < end

    try:
        return search(sys.maxsize, seed, go_on)
    except Exception:  # noqa: BLE001 - whatever is raised is what the search is for, with the script as a note
        sys.stdout.write(f"something is violated\n{traceback.format_exc()}\n")
        return None


def _guided(seed: int, limit: float, folder: Path, step: Step) -> Tally | None:
    """In a process of its own; what it finds is played again here, for the error as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("crash-*"), *folder.glob("timeout-*"), folder / "tally.json"):
        old.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.gateway.guided", str(int(limit)), str(seed), str(folder)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        end = time.monotonic() + limit + _TIME_TO_END
        while process.poll() is None:
            time.sleep(0.5)
            step.tick(f"{_told(folder).scripts} scripts")
            if time.monotonic() > end:
                process.kill()
    if process.returncode == 0:
        return _told(folder)
    found = [*folder.glob("crash-*"), *folder.glob("timeout-*")]
    sys.stdout.write(f"the search ended with {process.returncode}, its words are in {folder / 'log'}\n")
    for script in found:
        sys.stdout.write(f"{script} plays it: {_again(script)}\n")
    return None


def _told(folder: Path) -> Tally:
    try:
        told = json.loads((folder / "tally.json").read_text())
    except FileNotFoundError:
        return Tally()
    return Tally(told["scripts"], Counter(told["happened"]))


def _again(script: Path) -> str:
    try:
        play(script.read_bytes())
    except Exception:  # noqa: BLE001 - it is shown
        return traceback.format_exc()
    return "and nothing is violated now"


def found(count: int, seed: int) -> bool:
    """Look for each defect that is put in on purpose; whether all were found within `count` scripts."""
    missed, progress = [], Progress()
    for place, mutant in enumerate(MUTANTS, 1):
        title = f"a defect: {mutant.name}"
        with progress.step(place, len(MUTANTS), title, count * _SECONDS_A_SCRIPT) as step:
            needed = needed_for(mutant, count, seed, step)
        sys.stdout.write(
            f"{title}: " + (f"found in script {needed}\n" if needed else f"NOT found in {count} scripts\n")
        )
        missed += [] if needed else [mutant.name]
    return not missed


def needed_for(mutant: Mutant, count: int, seed: int, step: Step | None = None) -> int:
    """How many scripts it took to find the defect; 0 when it was not found. Raises what was found instead."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.put(patch)
        for number, script in zip(range(1, count + 1), scripts(seed), strict=False):
            if step is not None:
                step.tick(f"{number} of {count}")
            try:
                play(script)
            except Exception as error:
                if mutant.shows(error):
                    return number
                raise
    return 0
