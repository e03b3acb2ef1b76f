"""The gateway benchmark, part by part: throughput, latency, streams, TLS, overload, a large configuration, core, hour.

A gateway has one processor for itself, the engine behind it and the clients share the other. All subjects are started
once; in each run they come one after the other, each run beginning with the next one, and the others stand still.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from e2e.plane.errors import PlaneError
from e2e.plane.progress import Progress
from tests.benchmarks.controller.benchmark import processor_times
from tests.benchmarks.gateway import core_cycles, installed, path_budget, site
from tests.benchmarks.gateway.hour import compared
from tests.benchmarks.gateway.load import Kind, Load
from tests.benchmarks.gateway.rows import DIRECT, OURS, Measured
from tests.benchmarks.gateway.settings import HAPROXY, LITELLM, Settings, settings_of
from tests.benchmarks.gateway.site import HAPROXY_TLS, OURS_FULL, OURS_LARGE, OURS_OFF, OURS_SHARDED, OURS_TLS, Site
from tests.benchmarks.gateway.subject import SubjectError
from tests.benchmarks.report import FOLDER, Report, Row, figure
from tests.benchmarks.thresholds import bounds, thresholds

NAME: Final = "gateway"
FIGURES: Final = "gateway_figures"
_WARM_SECONDS: Final = 1
_SHORT_SECONDS: Final = 1
_SLOW_SECONDS: Final = 4
_LOOK_SECONDS: Final = 1.0
_STREAMS: Final = "sse_streams_per_second"
_HALF: Final = 0.5
_OFF_THE_SITE: Final = frozenset({"core", "hour"})


def run(data: str, progress: Progress) -> Report:
    """Measure; some eight minutes. Raises SettingsError, and PlaneError when a subject does not do what it should."""
    settings = settings_of(data)
    folder = FOLDER / NAME
    benchmark = Benchmark(settings, progress)
    try:
        return benchmark.run(folder)
    except SubjectError as error:
        raise PlaneError(str(error)) from error


class Benchmark:
    """One whole run of it."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._measured = Measured()
        self._figures: list[Row] = []
        self._bounds = bounds(FIGURES)
        self._failed: dict[str, int] = {}
        self._notes: list[str] = []

    def run(self, folder: Path) -> Report:
        """All parts that are asked for. Raises PlaneError or SubjectError."""
        settings, busy = self._settings, _busy_percent()
        if {*settings.parts} - _OFF_THE_SITE:
            installed.debian(self._progress)
            with site.opened(settings, folder, self._progress) as opened:
                self._notes += opened.left_out
                for part, measure in self._on_the_site(opened):
                    if part in settings.parts:
                        measure()
                self._memory(opened)
                self._decisions(opened)
        if "core" in settings.parts:
            self._figures += core_cycles.rows(settings.runs, self._bounds, self._progress)
            self._figures += path_budget.rows(settings.runs, self._bounds, self._progress)
        if "hour" in settings.parts:
            rows, table = compared.rows(settings.hour_minutes, thresholds(NAME), self._progress)
            self._figures += rows
            self._notes += table
        rows = self._measured.rows(thresholds(NAME)) + self._figures
        described: dict[str, Any] = {
            "processors": os.cpu_count(),
            "busy_before_percent": busy,
            "failed": self._failed,
            "python": site.interpreter(),
        }
        return Report(NAME, settings.runs, asdict(settings) | described, rows, self._notes)

    def _on_the_site(self, opened: Site) -> Iterator[tuple[str, Callable[[], None]]]:
        everybody = opened.names([OURS, *self._settings.peers])
        # litellm takes a second and more for each of 64 requests at once: what it adds to one is no matter of milliseconds
        quick = [name for name in everybody if name != LITELLM]
        yield "throughput", lambda: self._throughput(opened, everybody)
        yield "latency", lambda: self._latency(opened, quick)
        yield "streams", lambda: self._streams(opened, quick)
        yield "tls", lambda: self._two(opened, "requests_per_second_c64_tls", OURS_TLS, HAPROXY_TLS)
        yield "overload", lambda: self._like_ours(opened, "overload_120_percent", OURS_FULL)
        yield "sharded", lambda: self._like_ours(opened, "one_of_several_replicas", OURS_SHARDED)
        services = self._settings.services
        yield "large", lambda: self._like_ours(opened, f"services_{services}", OURS_LARGE, self._settings.models)
        yield "large", lambda: self._like_ours(opened, f"services_{services}_all_asked", OURS_LARGE)

    def _throughput(self, opened: Site, everybody: Sequence[str]) -> None:
        with self._runs("throughput", len(everybody) + 1) as told:
            for name in everybody:
                with self._noting(name):
                    opened.run(name, self._load("json", seconds=_SLOW_SECONDS if name == LITELLM else _WARM_SECONDS))
            for number, name in self._turns([*everybody, DIRECT]):
                told(f"run {number}, {name}")
                with self._noting(name):
                    self._rate(opened, name, name, "requests_per_second_c64", "json", number)
        self._two(opened, "requests_per_second_c64_qos_off", OURS_OFF, HAPROXY)

    def _rate(self, opened: Site, subject: str, shown: str, metric: str, kind: Kind, number: int) -> None:
        seconds = max(_SLOW_SECONDS, self._settings.seconds) if subject == LITELLM else None
        found = opened.run(subject, self._load(kind, seconds=seconds, seed=number))
        self._failed[subject] = self._failed.get(subject, 0) + found.counted.failed
        self._measured.add(metric, "requests/s" if kind == "json" else "streams/s", shown, found.counted.rate)
        if subject != DIRECT:
            what = "stream" if kind == "stream" else "request"
            suffix = metric.removeprefix("requests_per_second_c64").removeprefix(_STREAMS)
            self._measured.add(f"cpu_us_per_{what}{suffix}", "us", shown, found.cpu_us)

    def _latency(self, opened: Site, everybody: Sequence[str]) -> None:
        """Each at half of what it can do (the same rate goes to the engine without it), and one client alone."""
        with self._runs("latency", 3 * len(everybody)) as told:
            for number, name in self._turns(everybody):
                told(f"run {number}, {name}")
                with self._noting(name):
                    self._added(opened, name, number)
        self._figures.append(self._figure("added_p99_ms", "ms", self._measured.samples("added_p99_ms", OURS)))

    def _added(self, opened: Site, name: str, number: int) -> None:
        able = self._measured.samples("requests_per_second_c64", name)
        rate = median(able) if able else opened.run(name, self._load("json")).counted.rate
        load = self._load("json", rate=_HALF * rate, seed=number)
        through, direct = opened.run(name, load), opened.run(DIRECT, load)
        self._measured.add("added_p99_ms", "ms", name, through.counted.p99_ms - direct.counted.p99_ms)
        self._measured.add("added_p50_ms", "ms", name, through.counted.p50_ms - direct.counted.p50_ms)
        alone = opened.run(name, Load("json", 1, _WARM_SECONDS, seed=number))
        self._measured.add("p50_ms_c1", "ms", name, alone.counted.p50_ms)

    def _streams(self, opened: Site, everybody: Sequence[str]) -> None:
        with self._runs("streams", len(everybody) + 1) as told:
            for number, name in self._turns([*everybody, DIRECT]):
                told(f"run {number}, {name}")
                with self._noting(name):
                    self._rate(opened, name, name, _STREAMS, "stream", number)

    def _two(self, opened: Site, metric: str, mine: str, theirs: str) -> None:
        """One of our other shapes beside a peer."""
        with self._runs(metric, 2) as told:
            for number, name in self._turns(opened.names([mine, theirs])):
                told(f"run {number}, {name}")
                shown = OURS if name == mine else HAPROXY
                with self._noting(name):
                    self._rate(opened, name, shown, metric, "json", number)

    def _like_ours(self, opened: Site, metric: str, mine: str, models: int | None = None) -> None:
        """One of our other shapes beside ours as it is: the share of its throughput. `models`: only so many are asked for."""
        rates: dict[str, list[float]] = {mine: [], OURS: []}
        with self._runs(metric, 2) as told:
            opened.run(
                mine, replace(self._load("json", seconds=_WARM_SECONDS), models=models)
            )  # connects to each engine
            for number, name in self._turns([mine, OURS]):
                told(f"run {number}, {name}")
                load = self._load("json", seconds=_SHORT_SECONDS, seed=number)
                found = opened.run(name, replace(load, models=models) if name == mine else load)
                self._failed[name] = self._failed.get(name, 0) + found.counted.failed
                rates[name].append(found.counted.rate)
        shares = [ours / usual for ours, usual in zip(rates[mine], rates[OURS], strict=True)]
        self._figures += [
            figure(f"{metric}_requests_per_second", "requests/s", median(rates[mine]), rates[mine]),
            self._figure(f"{metric}_share_of_usual", "1", shares),
        ]

    def _memory(self, opened: Site) -> None:
        for name in opened.names([OURS, *self._settings.peers]):
            self._measured.add("rss_mb", "MB", name, opened.resident_mb(name))
        self._figures.append(self._figure("rss_mb_after_all", "MB", [opened.resident_mb(OURS)]))

    def _decisions(self, opened: Site) -> None:
        """Every answer that a client got went through the dispatcher, and nobody of ours failed one."""
        (answered, cut_off), decided = opened.answers(OURS), opened.statistics(OURS)["dispatched"]
        if not answered <= decided <= answered + cut_off:
            raise SubjectError(f"{decided} dispatches for {answered} answers, of runs that cut off {cut_off} at most")
        self._figures.append(self._figure("dispatches_per_request", "1", [decided / answered]))
        failed = sum(count for name, count in self._failed.items() if name.startswith(OURS))
        self._figures.append(self._figure("failed_requests_of_ours", "requests", [float(failed)]))

    def _figure(self, metric: str, unit: str, samples: Sequence[float]) -> Row:
        return figure(metric, unit, median(samples), samples, self._bounds.get(metric))

    def _load(self, kind: Kind, *, seconds: int | None = None, rate: float = 0.0, seed: int = 0) -> Load:
        return Load(kind, self._settings.connections, seconds or self._settings.seconds, rate, seed)

    @contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """A peer that fails in a run has no sample of it, and the report says so; one of ours ends the benchmark."""
        try:
            yield
        except SubjectError as error:
            if site.is_ours(name):
                raise
            self._notes.append(f"no sample: {error}")

    def _turns(self, names: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Run by run, each beginning with the next one."""
        for number in range(self._settings.runs):
            start = number % len(names)
            for name in (*names[start:], *names[:start]):
                yield number + 1, name

    @contextmanager
    def _runs(self, title: str, turns: int) -> Iterator[Callable[[str], None]]:
        expected = self._settings.runs * turns * self._settings.seconds
        with self._progress.step(1, 1, title, expected) as step:
            yield step.tick


def _busy_percent() -> int:
    """Percent of the processors that others use just now."""
    before = processor_times()
    time.sleep(_LOOK_SECONDS)
    idle, whole = (after - earlier for after, earlier in zip(processor_times(), before, strict=True))
    return round(100 * (1 - idle / whole))
