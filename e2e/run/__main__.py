"""`python -m e2e.run [--once]`: what `make run` and `make run ONCE=1` do."""

import argparse
import asyncio
import json
import signal
import sys
import time
from contextlib import nullcontext

from rich.console import Console
from rich.live import Live

from e2e.plane import PlaneError
from e2e.run.errors import RunError
from e2e.run.report import faults, report
from e2e.run.scenario import Run, run, say, show_plan
from e2e.run.services import services, unfulfilled
from e2e.run.settling import LIMIT_SECONDS, Settling
from e2e.run.table import view

REFRESH_SECONDS = 0.5


def main() -> int:
    """The exit code: 0 when the run went as expected, or was ended by a person; 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m e2e.run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when all has settled, with one JSON line")
    once: bool = parser.parse_args().once
    try:
        return asyncio.run(_run(once=once))
    except (RunError, PlaneError) as error:
        say(f"make run: {error}")
    except KeyboardInterrupt:
        say("ended")
        return 0 if not once else 1
    return 1


async def _run(*, once: bool) -> int:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.to_thread(show_plan)
    async with run() as started:
        if once:
            return await _until_settled(started)
        await _show(started)
    return 0


async def _show(started: Run) -> None:
    """The live table, until Ctrl-C."""
    console = Console()
    say(
        f"Look yourself: export KUBECONFIG={started.plane.kubeconfig}; kubectl get aimisvc,gpc,gpun,rpp -A. Ctrl-C ends."
    )
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            started.check()
            live.update(_screen(started), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


def _screen(started: Run):  # type: ignore[no-untyped-def]
    world = started.observer.world
    return view(world, services(world), time.monotonic() - started.started)


async def _until_settled(started: Run) -> int:
    """Wait until all is as the examples expect, or too late; print the JSON line last."""
    settling = Settling(started.started)
    terminal = sys.stdout.isatty()
    display = Live(console=Console(), auto_refresh=False) if terminal else nullcontext()
    problems: list[str] = []
    with display as live:
        while True:
            started.check()
            world = started.observer.world
            problems = [
                *unfulfilled(services(world), started.wanted),
                *faults(world, started.observer.double_allocations),
            ]
            if live is not None:
                live.update(_screen(started), refresh=True)
            now = time.monotonic()
            if settling.look(now, as_expected=not problems):
                break
            if settling.too_late(now):
                problems.insert(0, f"not settled within {LIMIT_SECONDS:.0f} s")
                break
            await asyncio.sleep(REFRESH_SECONDS)
    if not terminal:
        Console(stderr=True, width=160).print(_screen(started))
    for problem in problems:
        say(f"make run: {problem}")
    observer = started.observer
    counted = report(
        observer.world,
        services(observer.world),
        observer.double_allocations,
        observer.gate_times.milliseconds,
        started.plane.statistics.ready_seconds,
    )
    print(json.dumps(counted.document()), flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
