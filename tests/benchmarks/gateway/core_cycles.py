"""How fast the dispatcher itself is: requests that arrive, are dispatched and complete, by one core and without any I/O.

Twelve models in three classes with minimum, maximum and rate. Once seats are free for all; once all seats are taken and
thousands wait, so that each completion dispatches the next one and each arrival joins a queue; once among many services.
"""

import random
import time
from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Final

from controller.gateway.reload import qos_settings
from controller.qos.manager import QoSManager
from controller.qos.refusal import Refusal
from controller.qos.request import Request
from controller.qos.settings import Member
from e2e.plane.progress import Progress
from tests.benchmarks.gateway.ours import configuration
from tests.benchmarks.report import Row, figure
from tests.benchmarks.thresholds import Bound

_TENANTS: Final = 20
_PROMPTS: Final = (20, 200, 1000, 5000)
_WARM: Final = 2_000
_STEP_SECONDS: Final = 1e-5
_CYCLES: Final = 20_000
_USUAL_SECONDS: Final = 10.0


class Core:
    """A manager of `models` services, with `waiting` requests more than there are seats."""

    def __init__(self, models: int, seats: int, waiting: int) -> None:
        served = configuration(models, seats, engine=1)
        self._models = [(one.key, one.qos.qos_class) for one in served.services]
        self._now = 0.0
        self._made = 0
        self._in_flight: deque[Request] = deque()
        self._random = random.Random(42)
        self._manager = QoSManager(
            qos_settings(served), 0.0, on_dispatch=self._dispatched, on_refuse=self._refused, jitter=self._random.random
        )
        while self.queued() < waiting:
            for _ in range(max(1, waiting - self.queued())):
                self._arrive()

    def cycles_per_second(self, cycles: int) -> float:
        """Requests served a second of this thread's processor time, over `cycles` of them."""
        self._run(_WARM)
        begun = time.process_time()
        self._run(cycles)
        return cycles / (time.process_time() - begun)

    def queued(self) -> int:
        """Requests that wait now."""
        return sum(sum(model.queued.values()) for model in self._manager.statistics().models.values())

    def _run(self, cycles: int) -> None:
        for _ in range(cycles):
            self._arrive()
            # the one that has been in flight longest, as in a queue of equal services
            request = self._in_flight.popleft()
            self._now += _STEP_SECONDS
            self._manager.first_byte(request, self._now)
            self._manager.complete(request, self._now, prompt_tokens=request.prompt_tokens, output_tokens=50)

    def _arrive(self) -> None:
        self._made += 1
        number = self._made
        key, qos_class = self._models[number % len(self._models)]
        tenant = f"tenant-{number % _TENANTS}"
        self._now += _STEP_SECONDS
        request = Request(key, tenant, qos_class, _PROMPTS[number % len(_PROMPTS)], 64, self._now)
        self._manager.arrive(request, self._now)

    def _dispatched(self, request: Request, _: Member) -> None:
        self._in_flight.append(request)

    def _refused(self, _: Request, why: Refusal) -> None:
        raise AssertionError(f"nothing is to be refused here: {why.message}")


def rows(runs: int, bounds: Mapping[str, Bound], progress: Progress) -> list[Row]:
    """The dispatcher alone; and what queues and services cost it, as the time that is left of the one without them."""
    found: dict[str, list[float]] = {}
    with progress.step(1, 1, "the dispatcher alone", _USUAL_SECONDS) as step:
        for number in range(runs):
            for name, (models, seats, waiting) in _SHAPES.items():
                step.tick(f"run {number + 1}, {name}")
                found.setdefault(name, []).append(Core(models, seats, waiting).cycles_per_second(_CYCLES))
    shown = [(f"core_{name}", "cycles/s", samples) for name, samples in found.items()]
    for name, (one, other) in _SHARES.items():
        shown.append((f"core_{name}", "1", [a / b for a, b in zip(found[one], found[other], strict=True)]))
    return [figure(name, unit, median(samples), samples, bounds.get(name)) for name, unit, samples in shown]


_SHAPES: Final[Mapping[str, tuple[int, int, int]]] = {
    "cycles": (12, 64, 0),
    "cycles_1000_services": (1_000, 64, 0),
    "cycles_100_queued": (12, 6, 100),
    "cycles_10000_queued": (12, 6, 10_000),
    "cycles_1000_services_10000_queued": (1_000, 3, 10_000),
}
"""Models, seats a partition of three, and requests that wait."""
_SHARES: Final = {
    "speed_10000_to_100_queued": ("cycles_10000_queued", "cycles_100_queued"),
    "speed_1000_to_12_services": ("cycles_1000_services", "cycles"),
}
