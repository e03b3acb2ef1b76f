"""The controller benchmark, step by step: peers, plane and objects, throughput, latency, memory, report."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from e2e.plane.build import ensure_binaries
from e2e.plane.progress import Progress
from tests.benchmarks.controller import programs
from tests.benchmarks.controller.contender import Program
from tests.benchmarks.controller.latency import latency_run
from tests.benchmarks.controller.memory import Holding, memory_run
from tests.benchmarks.controller.programs import OURS
from tests.benchmarks.controller.samples import Samples, size_name
from tests.benchmarks.controller.settings import CONTROLLER_RUNTIME, KOPF, PINNED, SHARED, Settings
from tests.benchmarks.controller.site import Site, opened
from tests.benchmarks.controller.throughput import StatusRun, Work, status_run
from tests.benchmarks.report import FOLDER, Report, percentile
from tests.benchmarks.thresholds import thresholds

NAME = "controller"
_MEGABYTE = 1_000_000
_STEPS = 5
_THROUGHPUT_STEPS = {SHARED: 2, PINNED: 3}
_OURS_ALONE = ("typed", "dicts")
_BOTH = ("full", "projected")
# For the progress line: what a run takes besides its writes, and writes a second, both as on two cores.
_OVERHEAD_SECONDS = 2.0
_USUAL_PER_SECOND = {OURS: 750.0, CONTROLLER_RUNTIME: 640.0, KOPF: 150.0}
_PODS_PER_SECOND = 350.0
_SYNC_SECONDS = 4.0
_LOOK_SECONDS = 1.0
_BUSY_PERCENT = 10


class Benchmark:
    """One whole run of the benchmark with `settings`."""

    def __init__(self, settings: Settings, progress: Progress, folder: Path = FOLDER) -> None:
        self._settings = settings
        self._progress = progress
        self._log = folder / f"{NAME}.log"
        self._samples = Samples()
        self._token = 0

    async def run(self) -> Report:
        """Measure everything. Raises PlaneError or ContenderError when it cannot."""
        settings = self._settings
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.write_text("")
        binaries = await asyncio.to_thread(ensure_binaries, self._progress)
        contenders = [programs.ours(), *await asyncio.to_thread(programs.peers, settings.peers, self._progress)]
        busy = await self._busy()
        async with opened(binaries=binaries) as site:
            await self._fill(site)
            await self._throughput(site, contenders, SHARED, settings.sizes)
            await self._throughput(site, contenders, PINNED, settings.pinned_sizes)
            await self._latency(site, contenders)
            await self._memory(site, [program for program in contenders if program.name != KOPF])
        rows = self._samples.rows(OURS, thresholds(NAME))
        described = {
            "processors": os.cpu_count(),
            "busy_before_percent": busy,
            "full": "PackedObject",
            "projected": "SlimPod",
        }
        return Report(NAME, settings.runs, asdict(settings) | described, rows)

    async def _busy(self) -> int:
        """Percent of the processors that others use just now; says so when it is much."""
        before = processor_times()
        await asyncio.sleep(_LOOK_SECONDS)
        idle, whole = (after - earlier for after, earlier in zip(processor_times(), before, strict=True))
        busy = round(100 * (1 - idle / whole))
        if busy > _BUSY_PERCENT:
            self._progress.line(f"others use {busy} % of the processors: the figures will be of a shared machine")
        return busy

    async def _fill(self, site: Site) -> None:
        sizes, pods = sorted({*self._settings.sizes, *self._settings.pinned_sizes}), self._settings.pods
        expected = sum(sizes) / _USUAL_PER_SECOND[OURS] + pods / _PODS_PER_SECOND
        with self._step(1, f"making {sum(sizes)} widgets and {pods} pods", expected) as told:
            await site.be_quiet()
            for size in sizes:
                await site.make_widgets(size, lambda count, of=size: told(f"widgets {count} of {of}"))  # type: ignore[misc]
            if pods:
                await site.make_pods(pods, lambda count: told(f"pods {count} of {pods}"))

    async def _throughput(
        self, site: Site, contenders: Sequence[Program], placement: str, sizes: Sequence[int]
    ) -> None:
        if not sizes:
            return
        planned = [
            (number, size, program)
            for number in range(1, self._settings.runs + 1)
            for size in sizes
            for program in rotated(contenders, number)
            if program.name != KOPF or size <= self._settings.kopf_size
        ]
        expected = sum(_OVERHEAD_SECONDS + size / _USUAL_PER_SECOND[program.name] for _, size, program in planned)
        with self._step(_THROUGHPUT_STEPS[placement], f"throughput, {placement} processors", expected) as told:
            for number, size, program in planned:
                title = f"run {number}, {program.name}, {size} objects"
                work = Work(size, self._next_token(), self._settings.workers, site.place(placement))
                found = await status_run(
                    site,
                    program,
                    work,
                    self._log,
                    lambda seen, title=title: told(f"{title}: {seen}"),  # type: ignore[misc]
                )
                self._note_status(program.name, size, placement, found)

    def _note_status(self, program: str, size: int, placement: str, found: StatusRun) -> None:
        suffix = size_name(size) if placement == SHARED else f"{size_name(size)}_{placement}"
        self._samples.add(f"throughput_{suffix}", program, found.objects_per_second)
        if size == max(self._settings.sizes) or placement == PINNED:
            self._samples.add(f"cold_sync_{suffix}_s", program, found.cold_sync_seconds)
            self._samples.add(f"cpu_{suffix}_s", program, found.cpu_seconds)
        if placement == SHARED:
            self._samples.add("requests_per_object", program, found.requests_per_object)

    async def _latency(self, site: Site, contenders: Sequence[Program]) -> None:
        settings = self._settings
        planned = [
            (number, program) for number in range(1, settings.runs + 1) for program in rotated(contenders, number)
        ]
        expected = len(planned) * (_OVERHEAD_SECONDS * 2 + settings.changes / settings.rate)
        with self._step(4, f"latency, {settings.rate} changes a second", expected) as told:
            for number, program in planned:
                title = f"run {number}, {program.name}"
                milliseconds = await latency_run(
                    site,
                    program,
                    settings,
                    site.place(SHARED),
                    self._log,
                    lambda sent, title=title: told(f"{title}: {sent} of {settings.changes}"),  # type: ignore[misc]
                )
                for percent in (50, 99):
                    self._samples.add(
                        f"event_to_reconcile_p{percent}_ms", program.name, percentile(milliseconds, percent)
                    )

    async def _memory(self, site: Site, contenders: Sequence[Program]) -> None:
        settings = self._settings
        if not settings.pods:
            return
        holdings = [
            Holding(program, projection)
            for number in range(1, settings.runs + 1)
            for program in rotated(contenders, number)
            for projection in (*_BOTH, *(_OURS_ALONE if program.name == OURS and number == 1 else ()))
        ]
        expected = len(holdings) * _SYNC_SECONDS + settings.settle_seconds
        with self._step(5, f"memory of {len(holdings)} processes with {settings.pods} pods", expected) as told:
            for held in await memory_run(site, holdings, settings.pods, settings.settle_seconds, self._log, told):
                metric = f"rss_{size_name(settings.pods)}_pods_{held.holding.projection}"
                self._samples.add(metric, held.holding.program.name, held.total_bytes / _MEGABYTE)
                self._samples.add(f"{metric}_increment", held.holding.program.name, held.increment_bytes / _MEGABYTE)

    def _next_token(self) -> str:
        self._token += 1
        return f"run-{self._token:06}"

    @contextmanager
    def _step(self, index: int, title: str, expected_seconds: float) -> Iterator[Callable[[str], None]]:
        """A step of the progress; what is yielded says what it is at."""
        with self._progress.step(index, _STEPS, title, expected_seconds) as step:
            yield step.tick


def processor_times() -> tuple[int, int]:
    """Idle and all processor time since the machine's start, in ticks."""
    ticks = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    return ticks[3] + ticks[4], sum(ticks)


def rotated(contenders: Sequence[Program], number: int) -> Sequence[Program]:
    """The contenders, each run beginning with the next one: nobody always measures on a fresh or a tired plane."""
    start = (number - 1) % len(contenders)
    return (*contenders[start:], *contenders[:start])
