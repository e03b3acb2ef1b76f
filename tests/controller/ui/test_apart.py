"""Work in a copy of the process: its answer comes back, its harm does not, and nothing waits for it."""

import asyncio
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.ui import apart as module
from controller.ui.apart import Apart, apart


def slept(seconds: float) -> Callable[[], bytes]:
    def work() -> bytes:
        time.sleep(seconds)
        return b"done"

    return work


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the copies that were made."""
    found: list[int] = []

    def fork() -> int:
        process = real()
        found.append(process)
        return process

    real = os.fork
    monkeypatch.setattr(os, "fork", fork)
    return found


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_the_answer_comes_back_and_what_is_changed_does_not() -> None:
    held = [1]

    def work() -> bytes:
        held.append(2)
        return b"x" * 300_000 + str(held).encode()

    assert (await apart(work, 20))[-6:] == b"[1, 2]"
    assert held == [1]


async def test_the_loop_goes_on_while_it_works() -> None:
    async with asyncio.TaskGroup() as group:
        working = group.create_task(apart(slept(0.5), 20))
        rounds = 0
        while not working.done():
            await asyncio.sleep(0.01)
            rounds += 1
    assert (working.result(), rounds > 10) == (b"done", True)


async def test_work_that_takes_too_long_is_ended(forked: list[int]) -> None:
    began = time.monotonic()
    with pytest.raises(Apart, match=r"no answer within 0\.2 s; ask for less"):
        await apart(slept(60), 0.2)
    assert time.monotonic() - began < 10
    assert not any(map(lives, forked))


async def test_work_that_fails_is_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> bytes:
        raise RuntimeError("of the work")

    with pytest.raises(Apart, match="the log says why"):
        await apart(work, 20)
    assert "RuntimeError: of the work" in capfd.readouterr().err


async def test_an_answer_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    with pytest.raises(Apart, match="more than 1000 bytes"):
        await apart(lambda: b"x" * 200_000, 20)


async def test_who_is_cancelled_leaves_nothing_running(forked: list[int]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await apart(slept(60), 60)
    assert not any(map(lives, forked))


async def test_a_machine_that_is_full_is_told_of_and_nothing_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(os, "fork", full)
    before = open_files()
    with pytest.raises(Apart, match="Cannot allocate memory; ask again in a moment"):
        await apart(slept(0), 20)
    assert open_files() == before
