"""Signals in a process of their own: the first asks for a stop, the second ends at once, blocked or not."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controller.runtime.signals import NUMBERS, stopping_on_signals

PROGRAM = """
import asyncio, time
from controller.runtime.signals import stopping_on_signals

async def main():
    stop = asyncio.Event()
    with stopping_on_signals(stop):
        print("ready", flush=True)
        await stop.wait()
        print("stopping", flush=True)
        {then}

{run}
"""
PLAIN = "asyncio.run(main())"
UVLOOP = "import uvloop; uvloop.run(main())"


def started(then: str, run: str = PLAIN) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", PROGRAM.format(then=then, run=run)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd())
    assert read_line(process) == b"ready"
    return process


def read_line(process: "subprocess.Popen[bytes]") -> bytes:
    """The next line that is no log line."""
    assert process.stdout is not None
    return next((line.strip() for line in process.stdout if b"[info" not in line), b"")


@pytest.mark.parametrize("run", [PLAIN, UVLOOP], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_the_first_signal_asks_for_a_stop(number: signal.Signals, run: str) -> None:
    with started("pass", run) as process:
        process.send_signal(number)
        assert read_line(process) == b"stopping"
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    "then", ["await asyncio.sleep(60)", "time.sleep(60)"], ids=["stopping takes long", "the event loop is blocked"]
)
def test_the_second_signal_ends_the_process_at_once(then: str) -> None:
    with started(then) as process:
        process.send_signal(signal.SIGTERM)
        assert read_line(process) == b"stopping"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


async def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    stop = asyncio.Event()
    with stopping_on_signals(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            await stop.wait()
    assert [signal.getsignal(number) for number in NUMBERS] == before
