"""The soak, from a plane of its own to the verdict: churn, restarts of the API server, a sample every five seconds."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from controller.runtime.client.client import Client
from controller.runtime.client.core import NAMESPACES
from controller.runtime.client.errors import AlreadyExists, ApiError, NotFound, Timeout, TooManyRequests, Unavailable
from e2e.plane.components import APISERVER
from tests.benchmarks.controller.contender import Contender, Program, started
from tests.benchmarks.controller.objects import WIDGETS, widget
from tests.benchmarks.controller.programs import ROOT
from tests.benchmarks.controller.settings import SHARED
from tests.benchmarks.controller.site import Site, opened
from tests.soak.churn import Churn, Operation, Verb
from tests.soak.slope import Sample
from tests.soak.subject import SAMPLE_SECONDS
from tests.soak.verdict import Verdict, after_warm_up, judge, limits

NAME = "controller"
NAMESPACE = "soak"
SUBJECT = Program("subject", (sys.executable, "-m", "tests.soak.subject"), {"PYTHONPATH": str(ROOT)})
_MEGABYTE = 1_000_000
_RETRY_SECONDS = 0.5
_CATCH_UP_SECONDS = 60.0
_SYNC_SECONDS = 60.0
_SAMPLED_SECONDS = 30.0
_RESTART_EVERY_SECONDS = (120.0, 240.0)
_WHOLE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Settings:
    """`seconds` of churn at `rate` changes a second, chosen by `seed`; slopes are of `block_seconds` averages.

    A sample is taken every `sample_seconds`. Between two restarts are `calm_seconds` or more.
    """

    seconds: float = _WHOLE_SECONDS
    rate: float = 20.0
    seed: int = 1
    block_seconds: float = 60.0
    sample_seconds: float = SAMPLE_SECONDS
    calm_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the soak has found. `unreconciled`: objects whose status is not of their last generation at the end.

    `samples`: seconds since the start, resident megabytes, tasks, descriptors.
    """

    operations: Mapping[str, int]
    restarts: int
    reconciles: int
    events: int
    unreconciled: int
    results: Sequence[Verdict]
    samples: Sequence[tuple[float, float, int, int]]


class Soak:
    """One soak with `settings`; `told` hears how far it is."""

    def __init__(self, settings: Settings, log: Path, told: Callable[[str], object]) -> None:
        self._settings, self._log, self._told = settings, log, told
        self._rng = Random(settings.seed)
        self._churn = Churn(Random(settings.seed + 1))
        self._operations: Counter[str] = Counter()
        self._restarts = 0
        self._samples: list[tuple[float, float, int, int]] = []

    async def run(self) -> Outcome:
        """Soak. Raises PlaneError, and ContenderError when the process ends by itself."""
        async with opened() as site:
            await site.be_quiet()
            await site.client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
            arguments = {
                "kubeconfig": site.plane.kubeconfig,
                "namespace": NAMESPACE,
                "sample-seconds": self._settings.sample_seconds,
            }
            async with started(SUBJECT, arguments, self._log, site.place(SHARED)) as subject:
                subject.start()
                await subject.expect("synced", _SYNC_SECONDS)
                await self._disturb(site, subject)
                unreconciled = await _behind(site.client)
                ended = await subject.end()
        return Outcome(
            operations=dict(self._operations),
            restarts=self._restarts,
            reconciles=ended["reconciles"],
            events=ended["events"],
            unreconciled=unreconciled,
            results=self._verdicts(),
            samples=self._samples,
        )

    async def _disturb(self, site: Site, subject: Contender) -> None:
        """Churn, restart and sample side by side for the whole time."""
        until = time.monotonic() + self._settings.seconds
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sample(subject, until))
            tasks.create_task(self._restart(site, until))
            tasks.create_task(self._change(site.client, until))

    async def _change(self, client: Client, until: float) -> None:
        due = time.monotonic()
        while due < until:
            await asyncio.sleep(due - time.monotonic())
            operation = self._churn.next()
            await _persist(client, operation)
            self._operations[operation.verb] += 1
            # A queue of changes that an absent API server has held up would be a burst, not a moderate rate.
            due = max(due + 1 / self._settings.rate, time.monotonic() - 1.0)

    async def _restart(self, site: Site, until: float) -> None:
        shorter = min(1.0, self._settings.seconds / _WHOLE_SECONDS)
        while True:
            pause = max(self._rng.uniform(*_RESTART_EVERY_SECONDS) * shorter, self._settings.calm_seconds)
            if time.monotonic() + pause > until:
                return
            await asyncio.sleep(pause)
            await asyncio.to_thread(_restart_apiserver, site, abruptly=self._rng.random() < 0.5)
            self._restarts += 1

    async def _sample(self, subject: Contender, until: float) -> None:
        began = time.monotonic()
        while time.monotonic() < until:
            told = await subject.expect("sample", _SAMPLED_SECONDS)
            used = subject.usage()
            elapsed = time.monotonic() - began
            megabytes = used.resident_bytes / _MEGABYTE
            self._samples.append((round(elapsed, 1), round(megabytes, 3), told["tasks"], used.descriptors))
            self._told(
                f"{megabytes:.1f} MB, {told['tasks']} tasks, {used.descriptors} descriptors, "
                f"{sum(self._operations.values())} changes, {self._restarts} restarts"
            )

    def _verdicts(self) -> list[Verdict]:
        columns = {"rss_mb": 1, "tasks": 2, "descriptors": 3}
        return [
            judge(
                metric,
                after_warm_up([Sample(row[0], row[columns[metric]]) for row in self._samples]),
                limit,
                self._settings.block_seconds,
            )
            for metric, limit in limits(NAME).items()
        ]


def _restart_apiserver(site: Site, *, abruptly: bool) -> None:
    if abruptly:
        site.plane.kill(APISERVER)
        site.plane.start_component(APISERVER)
    else:
        site.plane.restart(APISERVER)


async def _persist(client: Client, operation: Operation) -> None:
    """Carry out one change; while nobody answers, again and again. A repeated one may find its work done."""
    while True:
        try:
            await _carry_out(client, operation)
        except (Unavailable, Timeout, TooManyRequests):
            await asyncio.sleep(_RETRY_SECONDS)
        except (AlreadyExists, NotFound):
            return
        else:
            return


async def _carry_out(client: Client, operation: Operation) -> None:
    match operation.verb:
        case Verb.CREATE:
            made = widget(operation.size, NAMESPACE)
            made["metadata"]["name"] = operation.name
            await client.create(WIDGETS, made, NAMESPACE)
        case Verb.UPDATE:
            patch = {"spec": {"size": operation.size}}
            await client.merge_patch(WIDGETS, operation.name, patch, NAMESPACE)
        case Verb.DELETE:
            await client.delete(WIDGETS, operation.name, NAMESPACE)


async def _behind(client: Client) -> int:
    """How many objects are not reconciled at their last generation, once it stays so or is none."""
    deadline = time.monotonic() + _CATCH_UP_SECONDS
    while True:
        behind = await _count_behind(client)
        if not behind or time.monotonic() > deadline:
            return behind
        await asyncio.sleep(_RETRY_SECONDS)


async def _count_behind(client: Client) -> int:
    try:
        items: Sequence[Mapping[str, Any]] = (await client.list(WIDGETS, NAMESPACE)).items
    except ApiError:
        return -1
    return sum(item.get("status", {}).get("observed") != str(item["metadata"]["generation"]) for item in items)
