"""Commands that are run one after the other, each with a limit; which one failed is told."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from e2e.plane import Progress

_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0
_TAIL_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its arguments. `limit` in seconds; several `tries` where what it asks may not answer yet."""

    title: str
    words: tuple[str, ...]
    limit: float
    tries: int = 1


class StepFailed(Exception):
    """A command failed as often as it may, was not there, or took too long; the text says which and its last words."""


def run(
    commands: Sequence[Command],
    progress: Progress,
    *,
    pause: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> None:
    """Run all. Raises StepFailed at the first that fails.

    `pause` waits a number of seconds between tries, `chance` gives numbers from 0 to 1 for its jitter.
    """
    for index, command in enumerate(commands, start=1):
        with progress.step(index, len(commands), command.title):
            for tried in range(1, command.tries + 1):
                problem = _once(command)
                if problem is None:
                    break
                if tried == command.tries:
                    raise StepFailed(f"{command.title}: {' '.join(command.words)}: {problem}")
                longest = min(_FIRST_PAUSE_SECONDS * 2 ** (tried - 1), _LONGEST_PAUSE_SECONDS)
                pause(longest * (0.5 + chance() / 2))


def run_all(commands: Sequence[Command], progress: Progress) -> None:
    """Run every command although one before it failed. Raises StepFailed with all that did."""
    problems = []
    for command in commands:
        try:
            run((command,), progress)
        except StepFailed as failed:
            problems.append(str(failed))
    if problems:
        raise StepFailed("\n".join(problems))


def ask(command: Command, *, errors_too: bool = False) -> str:
    """What a command writes to stdout, and after it what to stderr if wanted. Raises StepFailed."""
    try:
        done = subprocess.run(command.words, capture_output=True, text=True, timeout=command.limit, check=False)
    except FileNotFoundError:
        raise StepFailed(f"{command.title}: {_missing(command)}") from None
    except subprocess.TimeoutExpired:
        raise StepFailed(f"{command.title}: {_late(command)}") from None
    if done.returncode != 0:
        raise StepFailed(f"{command.title}: {' '.join(command.words)}: {_ended(done)}")
    return done.stdout + done.stderr if errors_too else done.stdout


def _once(command: Command) -> str | None:
    try:
        done = subprocess.run(
            command.words, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, timeout=command.limit, check=False
        )
    except FileNotFoundError:
        return _missing(command)
    except subprocess.TimeoutExpired:
        return _late(command)
    sys.stderr.write(done.stderr)
    return None if done.returncode == 0 else _ended(done)


def _missing(command: Command) -> str:
    return f"{command.words[0]} is not there: install it and put it on PATH"


def _late(command: Command) -> str:
    return f"took longer than {command.limit:.0f} s"


def _ended(done: subprocess.CompletedProcess[str]) -> str:
    return f"ended with {done.returncode}: {done.stderr.strip()[-_TAIL_CHARACTERS:]}"
