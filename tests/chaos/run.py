"""One run of chaos: churn and faults beside each other, then quiet, then nothing left; and what the judges say of it."""

import asyncio
import http.client
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2e.plane import AdminError
from e2e.plane.admin import Admin
from tests.chaos import churn as churning
from tests.chaos.asking import Asking, services
from tests.chaos.checks.every import violations
from tests.chaos.checks.violation import Violation
from tests.chaos.churn import churn
from tests.chaos.facts import BEGUN, Claim, Plan
from tests.chaos.facts import Kind as Resource
from tests.chaos.gathered import Seen, history, keep, scene
from tests.chaos.history import History
from tests.chaos.inflict import Inflicting
from tests.chaos.people import NAMESPACE, POLICY, People, patiently_admin, prepare
from tests.chaos.schedule import Fault, Kind, schedule
from tests.chaos.schedule import Settings as FaultSettings
from tests.chaos.settled import Scene, left, unsettled
from tests.chaos.site import Site, site
from tests.integration.operator.running import AIM

QUIET_SECONDS: Final = 150.0
"""Within which everything must be as it must be after the last fault."""
EMPTY_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 1.0
_TICK_SECONDS: Final = 0.2
REDIRECTS: Final = 300
LONG_SECONDS: Final = 600.0
"""Some 14 plans begin and 8 pods are evicted within it, as measured on two cores."""
LEAST_KNOWN: Final = 0.7
"""Of the writes: judges of who wrote are blind for the rest."""
_ALWAYS: Final = ("writes", "places bound", "creations without opt-in", "requests")
_IN_LONG_RUNS: Final = ("mode changes", "plans begun", "evictions")
_UNANSWERED: Final = (OSError, http.client.HTTPException, AdminError)


@dataclass(frozen=True, slots=True)
class Settings:
    """`seconds`: how long faults and churn go on. `kinds`: those that are injected. `plant`: called at the end of the
    churn, with the cluster's administrator: what it does, the judges must notice."""

    seconds: float = 1800.0
    seed: int = 1
    kinds: Sequence[Kind] = tuple(Kind)
    fault_gap_seconds: float = 6.0
    deed_gap_seconds: float = 1.5
    certificate_seconds: float = 60.0
    plant: Callable[[Admin], None] | None = None


@dataclass
class Outcome:
    """What a run was, and what was found. Counts by kind of fault, verb, name of a process, and how requests
    ended."""

    settings: Settings
    faults: tuple[Fault, ...]
    injected: dict[str, int] = field(default_factory=dict)
    deeds: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    ended_alone: dict[str, int] = field(default_factory=dict)
    judged: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    settled_seconds: float | None = None
    violations: list[Violation] = field(default_factory=list)


async def run(settings: Settings, folder: Path, tick: Callable[[str], None] = lambda _: None) -> Outcome:
    """All of it; logs and records of our processes go to `folder`. `tick` is called often with where it stands.

    Raises PlaneError, RunError when something could not be started again.
    """
    faults = schedule(settings.seed, _of_faults(settings))
    outcome = Outcome(settings, faults)
    async with site(folder, settings.certificate_seconds) as made:
        running = _Run(made, settings, outcome)
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(made.keep_running())
            ticking = tasks.create_task(_ticking(lambda: tick(running.standing())))
            await running.through()
            for task in (keeping, ticking):
                task.cancel()
        found = await asyncio.to_thread(history, made, running.seen())
        await asyncio.to_thread(keep, found, made, folder)
    outcome.violations = await asyncio.to_thread(violations, found)
    outcome.judged = judged(found)
    outcome.answers = dict(Counter(one.ended for one in found.traffic.asked))
    return outcome


def _of_faults(settings: Settings) -> FaultSettings:
    return FaultSettings(
        settings.seconds, settings.fault_gap_seconds, settings.certificate_seconds, tuple(settings.kinds)
    )


class _Run:
    """The parts of a run, one after the other."""

    def __init__(self, made: Site, settings: Settings, outcome: Outcome) -> None:
        self._site, self._settings, self._outcome = made, settings, outcome
        self._people = People(made.plane.admin)
        self._inflicting = Inflicting(made)
        self._asking = Asking(made.plane, made.gateway_balancer.port)
        self._began = time.time()
        self._phase = "starting"
        self._stuck: Sequence[str] = ()
        self._left: Sequence[str] = ()

    async def through(self) -> None:
        """From the first object to the last."""
        admin = self._site.plane.admin
        await asyncio.to_thread(prepare, admin)
        for obj in services():
            await asyncio.to_thread(admin.create, f"{AIM}/namespaces/{NAMESPACE}/inferenceservices", obj)
        self._stuck = await self._until(unsettled, QUIET_SECONDS)
        assert not self._stuck, f"the cluster was not ready before anything went wrong: {self._stuck}"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._asking.run())
            await self._trouble()
            await self._quiet()
            self._asking.going = False
        await self._emptied(admin)

    async def _trouble(self) -> None:
        self._phase, begun = "trouble", asyncio.get_running_loop().time()
        deeds = churn(self._settings.seed, churning.Settings(self._settings.seconds, self._settings.deed_gap_seconds))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._people.run(deeds, begun))
            tasks.create_task(self._inflicting.run(self._outcome.faults, begun))
        if self._settings.plant is not None:
            await asyncio.to_thread(self._settings.plant, self._site.plane.admin)

    async def _quiet(self) -> None:
        self._phase, begun = "quiet", time.monotonic()
        await patiently_admin(self._people.cancel_all)
        self._stuck = [*self._people.given_up, *await self._until(unsettled, QUIET_SECONDS)]
        if not self._stuck:
            self._outcome.settled_seconds = round(time.monotonic() - begun, 1)

    async def _emptied(self, admin: Admin) -> None:
        self._phase = "emptying"
        for path in (
            f"{AIM}/namespaces/{NAMESPACE}/inferenceservices",
            f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
            f"/api/v1/namespaces/{NAMESPACE}/pods",
        ):
            await patiently_admin(lambda path=path: admin.request("DELETE", path))  # type: ignore[misc]
        self._left = await self._until(left, EMPTY_SECONDS)
        await patiently_admin(lambda: admin.delete(f"{AIM}/gpusharingpolicies/{POLICY}"))

    async def _until(self, look: Callable[[Scene], list[str]], limit_seconds: float) -> list[str]:
        """What is still found when time is up; nothing as soon as it is so twice in a row."""
        loop, before = asyncio.get_running_loop(), False
        end, found = loop.time() + limit_seconds, ["nothing was looked at"]
        while True:
            try:
                found = look(await asyncio.to_thread(scene, self._site))
            except _UNANSWERED as error:
                found = [f"the API server does not answer: {error!r}"]
            if (not found and before) or loop.time() > end:
                return found
            before = not found
            await asyncio.sleep(_LOOK_SECONDS)

    def seen(self) -> Seen:
        """What the run itself has seen, counted into the outcome."""
        outcome = self._outcome
        for one in self._inflicting.injected:
            outcome.injected[one.kind] = outcome.injected.get(one.kind, 0) + 1
        outcome.deeds = {str(verb): count for verb, count in self._people.done.items()}
        outcome.skipped = {str(verb): count for verb, count in self._people.skipped.items()}
        outcome.ended_alone = dict(self._site.restarted)
        return Seen(
            self._began, self._inflicting.injected, self._people.attempts, self._asking, self._stuck, self._left
        )

    def standing(self) -> str:
        """Where it stands, as a line."""
        done, faults = sum(self._people.done.values()), len(self._inflicting.injected)
        current = ", ".join(sorted(self._inflicting.current))
        return f"{self._phase}: {faults} of {len(self._outcome.faults)} faults, {done} deeds; {current}"


async def _ticking(tick: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        tick()


def lacking(outcome: Outcome) -> list[str]:
    """What there was nothing of, or too little, as sentences: a run in which nothing happened has shown nothing.

    What comes by chance is asked for only in a run that is long enough.
    """
    seen = outcome.judged
    missing, done = list[str](), sum(outcome.injected.values())
    if not done or done < len(outcome.faults):
        missing.append(f"{done} of {len(outcome.faults)} faults were injected")
    if not sum(outcome.deeds.values()):
        missing.append("people did nothing")
    if not outcome.answers.get("200"):
        missing.append("no request was answered")
    long = outcome.settings.seconds >= LONG_SECONDS
    missing += [f"there were no {what}" for what in (*_ALWAYS, *(_IN_LONG_RUNS if long else ())) if not seen.get(what)]
    least, known = LEAST_KNOWN * seen.get("writes", 0), seen.get("writes of known authors", 0)
    if known < least:
        missing.append(f"the author of {known} writes is known, {least:.0f} at least must be")
    return missing


def judged(found: History) -> dict[str, int]:
    """How much there was to judge: a judge that saw nothing has said nothing."""
    claims = [one for one in found.changes if one.kind is Resource.CLAIM]
    return {
        "writes": len(found.changes),
        "writes of known authors": sum(bool(one.who) for one in found.changes),
        "places bound": sum(
            isinstance(one.after, Claim)
            and bool(one.after.held)
            and not (isinstance(one.before, Claim) and one.before.held)
            for one in claims
        ),
        "mode changes": len(found.hardware),
        "plans begun": sum(
            isinstance(one.after, Plan)
            and one.after.phase in BEGUN
            and isinstance(one.before, Plan)
            and one.before.phase not in BEGUN
            for one in found.changes
        ),
        "evictions": sum(one.resource == "pods/eviction" and one.code < REDIRECTS for one in found.audited),
        "creations without opt-in": len(found.attempts),
        "requests": len(found.traffic.asked),
    }
