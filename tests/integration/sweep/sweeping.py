"""Plays the chosen cases one after another, on a cluster that is made anew after each violation."""

import asyncio
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from e2e.plane import Plane
from tests.integration.sweep.incidents import INCIDENTS
from tests.integration.sweep.outcome import Outcome
from tests.integration.sweep.plane_case import QUICK, all_cases, play
from tests.integration.sweep.site import Site, site

_TICK_SECONDS = 0.2
# As measured on two cores; a fault that lasts does so for a while.
_KILLED_SECONDS, _FAULT_SECONDS = 3.0, 6.0


def chosen(sweep: str, only: str) -> list[str]:
    """The names of the cases. `only`: texts with commas between; each means the case called so, else all that have it."""
    cases = all_cases() if sweep == "all" else QUICK
    names = [*map(str, cases), *(INCIDENTS if sweep == "all" else ())]
    texts = only.split(",")
    return [name for name in names if any(name == text or (text not in names and text in name) for text in texts)]


def expected_seconds(names: Sequence[str]) -> float:
    """How long they usually take."""
    return sum(_KILLED_SECONDS if name.endswith("-killed") else _FAULT_SECONDS for name in names)


async def sweep(
    plane: Plane, folder: Path, names: Sequence[str], outcome: Outcome, tick: Callable[[], None], kept: Path
) -> None:
    """Play all of them. `tick` is called often; logs of a case with a violation go to `kept`.

    Raises PlaneError when the plane itself does not work any more.
    """
    todo = deque(names)
    while todo:
        plane.check()
        home = folder / str(len(outcome.ran))
        home.mkdir()
        try:
            async with site(plane, home) as made, asyncio.TaskGroup() as tasks:
                ticking = tasks.create_task(_ticking(tick))
                await _until_violated(made, todo, outcome, tick)
                ticking.cancel()
        except Exception as error:  # whatever a case breaks is its violation, and the next one runs
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            _violated(outcome, todo, home, kept, "; ".join(f"{type(leaf).__name__}: {leaf}" for leaf in _leaves(error)))


async def _until_violated(made: Site, todo: deque[str], outcome: Outcome, tick: Callable[[], None]) -> None:
    """Raises what a case raises; that one is still `todo`."""
    known = {str(case): case for case in all_cases()}
    now = asyncio.get_running_loop().time
    while todo:
        outcome.current, number, began = todo[0], len(outcome.ran), now()
        tick()
        if outcome.current in INCIDENTS:
            await INCIDENTS[outcome.current](made, number)
        else:
            await play(made, known[outcome.current], number)
        outcome.end(now() - began)
        todo.popleft()


def _violated(outcome: Outcome, todo: deque[str], home: Path, kept: Path, what: str) -> None:
    outcome.current = name = todo.popleft() if todo else "the-end"
    outcome.end(0.0, what)
    kept.mkdir(parents=True, exist_ok=True)
    for log in (home / "operator.log", home / "agent" / "agent.log"):
        if log.exists():
            shutil.copyfile(log, kept / f"{name}.{log.name}")
    again = f"make chaos SWEEP=all ONLY={name} SEED={outcome.seed}"
    sys.stderr.write(f"\nviolation in {name}: {what}\nlogs: {kept}/{name}.*; alone: {again}\n")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


async def _ticking(tick: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        tick()
