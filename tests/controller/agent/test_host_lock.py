import asyncio
import sys
from pathlib import Path

import pytest

from controller.agent.host_lock import HostLock
from controller.runtime.clock import RealClock
from tests.fakes.clock import SkippingClock

HOLD = (
    "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(flush=True); input()"
)


async def holding(folder: Path) -> asyncio.subprocess.Process:
    """Another process that has the folder."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, str(folder), stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    await process.stdout.readline()
    return process


async def test_an_agent_waits_for_the_end_of_another_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.agent.host_lock._POLL_SECONDS", 0.01)
    other = await holding(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        waits = tasks.create_task(HostLock(tmp_path, RealClock()).acquire())
        await asyncio.sleep(0.1)
        assert not waits.done()
        other.kill()
    await other.wait()


async def test_what_a_process_has_it_has_until_it_ends(tmp_path: Path) -> None:
    lock = HostLock(tmp_path, SkippingClock())
    await lock.acquire()
    await lock.acquire()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await HostLock(tmp_path, RealClock()).acquire()


async def test_a_wait_that_is_given_up_leaves_nothing_locked(tmp_path: Path) -> None:
    other = await holding(tmp_path)
    lock = HostLock(tmp_path, RealClock())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await lock.acquire()
    other.kill()
    await other.wait()
    await HostLock(tmp_path, SkippingClock()).acquire()


async def test_without_the_folder_nothing_is_waited_for(tmp_path: Path) -> None:
    clock = SkippingClock()
    await HostLock(tmp_path / "nowhere", clock).acquire()
    assert clock.slept == []
