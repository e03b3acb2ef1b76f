"""Elections on paper: candidates with clocks of their own, one Lease, and a network and scheduler that misbehave.

Time is simulated. What is drawn at random: how long each participant's requests take to the server and back, which ones
are lost or late, when a participant is cut off, and how long it is not run at all (stopped, swapped out, starved).
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

from controller.runtime.election.candidacy import Candidate, Phase, step
from controller.runtime.election.lease import LeaseRecord, LeaseTiming
from controller.runtime.election.reports import Do, Due, Failed, Found, Missing, Next, Refused, Report, Stop, Written


@dataclass
class Weather:
    """`delay`: seconds at most, each way, of the slowest participants; `cut` and `pause` seconds at most.

    The others are odds of a request: lost there, lost back, late by any time, the participant cut off or not run.
    """

    delay: float = 0.02
    lost: float = 0.0
    unanswered: float = 0.0
    late: float = 0.0
    cut_off: float = 0.0
    cut: float = 0.0
    paused: float = 0.0
    pause: float = 0.0


CALM = Weather()


class World:
    """The true time, the Lease, and what happens when.

    `leading` lists (time, identity) of each beginning; `most_at_once`: how many might write at the same time.
    """

    def __init__(self, seed: int, timing: LeaseTiming, weather: Weather = CALM) -> None:
        self.rng = Random(seed)
        self.timing = timing
        self.weather = weather
        self.now = 0.0
        self.record: LeaseRecord | None = None
        self.version = 0
        self.actors: list[Actor] = []
        self.leading: list[tuple[float, str]] = []
        self.most_at_once = 0
        self._names = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), action))

    def run_until(self, time: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let things happen until `time`; True as soon as the condition holds."""
        while not until():
            if not self._events or self._events[0][0] > time:
                self.now = time
                return until()
            self.now, _, action = heapq.heappop(self._events)
            action()
        return True

    def join(self) -> "Actor":
        """One more participant, its clocks as wrong as can be."""
        actor = Actor(self, f"p{next(self._names)}")
        self.actors.append(actor)
        return actor

    def replace_ended(self) -> None:
        """Start whoever has ended anew, as a kubelet would: under another identity."""
        for actor in [actor for actor in self.actors if not actor.alive]:
            self.actors.remove(actor)
            self.join()

    def calm_down(self) -> None:
        """From now on all works. What was under way is lost, and whoever was not run runs again."""
        self.weather = CALM
        self._events.clear()
        for actor in self.actors:
            actor.resume()

    def leader(self) -> "Actor":
        """Who leads; there must be one."""
        (leader,) = [actor for actor in self.actors if actor.may_write()]
        return leader

    def holders(self) -> list[str]:
        """Who may write at this moment: more than one is what must never be."""
        return [actor.candidate.identity for actor in self.actors if actor.may_write()]

    def serve(self, do: Do, written: LeaseRecord, version: str) -> Callable[[float, float], Report]:
        """What the API server does with a request, and its answer as a report of (sent, now)."""
        if do is Do.READ:
            found, at = self.record, str(self.version)
            if found is None:
                return Missing
            return lambda sent, now: Found(found, at, sent, now)
        expected = "" if self.record is None else str(self.version)
        if version != expected:
            return Refused
        self.record, self.version = written, self.version + 1
        at = str(self.version)
        return lambda sent, now: Written(written, at, sent, now)


class Actor:
    """One participant, with the behaviour of the shell: one request at a time, each with its time limit."""

    def __init__(self, world: World, identity: str) -> None:
        self.world = world
        self.candidate = Candidate(identity, world.timing)
        self.skew = world.rng.uniform(-1e6, 1e6)
        self.wall = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=world.rng.uniform(-1e7, 1e7))
        self.alive = True
        self.stopping = False
        self.there, self.back = (world.rng.choice([0.02, 1.0]) for _ in range(2))
        self.cut_until = -1.0
        self._turn = 0
        self._after(0.0, lambda: Due(self.clock()))

    def clock(self) -> float:
        return self.world.now + self.skew

    def may_write(self) -> bool:
        """What the fence says."""
        return self.candidate.phase is Phase.LEADING and self.clock() < self.candidate.valid_until

    def kill(self) -> None:
        self.alive = False
        self.candidate = Candidate("dead", self.world.timing)

    def resume(self) -> None:
        """Wait for whatever this one waited for, which never comes."""
        self._turn += 1
        self.cut_until = -1.0
        timeout = self.world.timing.request_timeout
        self._after(timeout, lambda: Failed("no answer", self.clock() - timeout, self.clock()))

    def _after(self, seconds: float, report: Callable[[], Report]) -> None:
        """Report in `seconds`, or later when not run then; whatever else was to come for this turn is dropped."""
        turn, weather = self._turn, self.world.weather
        if self.world.rng.random() < weather.paused:
            seconds += self.world.rng.uniform(0, weather.pause)

        def deliver() -> None:
            if self.alive and turn == self._turn:
                self._turn += 1
                self._take(report())

        self.world.at(self.world.now + max(seconds, 0.0), deliver)

    def _take(self, report: Report) -> None:
        led = self.may_write()
        self.candidate, then = step(self.candidate, report, self.world.rng.random())
        if self.may_write() and not led:
            self.world.leading.append((self.world.now, self.candidate.identity))
            self.world.most_at_once = max(self.world.most_at_once, len(self.world.holders()))
        if then.do in {Do.END, Do.GIVE_UP}:
            self.alive = False
        elif self.stopping and self.candidate.phase is not Phase.RELEASING:
            self._after(0.0, lambda: Stop(self.clock()))
        elif then.do is Do.WAIT:
            until = then.until
            if self.candidate.phase is Phase.LEADING:
                until = min(until, self.candidate.valid_until)
            self._after(until - self.clock(), lambda: Due(self.clock()))
        else:
            self._send(then)

    def _send(self, then: Next) -> None:
        world, weather, rng = self.world, self.world.weather, self.world.rng
        sent, candidate = self.clock(), self.candidate
        version = "" if then.do is Do.CREATE else candidate.version
        written = candidate if then.do is Do.READ else candidate.record_for(then.do, self.wall)
        patience = world.timing.request_timeout
        if candidate.phase is Phase.LEADING:
            patience = min(patience, candidate.valid_until - sent)
        self._after(patience, lambda: Failed("no answer", sent, self.clock()))
        if rng.random() < weather.cut_off:
            self.cut_until = world.now + rng.uniform(0, weather.cut)
        there = rng.uniform(0, weather.delay * self.there)
        if rng.random() < weather.late:
            there += rng.uniform(0, 3 * world.timing.duration)
        if self._cut() or rng.random() < weather.lost:
            return
        turn = self._turn

        def arrive() -> None:
            report = world.serve(then.do, written, version)  # type: ignore[arg-type]
            if turn == self._turn and not self._cut() and rng.random() >= weather.unanswered:
                self._after(rng.uniform(0, weather.delay * self.back), lambda: report(sent, self.clock()))

        world.at(world.now + there, arrive)

    def _cut(self) -> bool:
        return self.world.now < self.cut_until
