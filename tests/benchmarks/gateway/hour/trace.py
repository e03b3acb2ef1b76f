"""An hour of mixed requests: six models in three classes, a day's tide pressed into the hour, bursts, and one flood.

The lengths of prompts and answers are log-normal around the medians of published traces of two services (conversations:
1,020 and 129 tokens, completions of code: 1,500 and 13) and, for the others, around what such work usually asks for.
Seeded: the same settings give the same requests, whatever orders them afterwards.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

HOUR_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one model is asked for. `rate`: requests a second on average; `tide`: how far the rate swings, as a share.

    `phase` is where in the hour, as a share, the swing begins. `prompt` and `output` are medians in tokens, `spread` the
    sigma of both logarithms. `tenants` ask for it in equal parts. `answer_within`: seconds until the first token that its
    objective allows. `minimum` is in requests at once on all partitions together.
    """

    model: str
    qos_class: str
    rate: float
    tide: float
    phase: float
    prompt: int
    output: int
    tenants: int
    answer_within: float
    minimum: int = 0
    spread: float = 0.6


@dataclass(frozen=True, slots=True)
class Burst:
    """From `start`, for `seconds`, both of an hour of 3,600 s, `model` is asked `times` as often; `tenant`: by that one
    alone, else by all.
    """

    model: str
    start: float
    seconds: float
    times: float
    tenant: str | None = None


CLASSES: Final = ("interactive", "standard", "batch")
TRAFFIC: Final = (
    Traffic("team-a/chat", "interactive", 5.0, 0.5, 0.0, 1020, 129, 4, 0.8, 6),
    Traffic("team-b/code", "interactive", 9.0, 0.5, 0.1, 1500, 13, 4, 0.8, 4),
    Traffic("team-a/agents", "standard", 1.2, 0.6, 0.3, 3000, 200, 3, 3.0),
    Traffic("team-c/search", "standard", 4.0, 0.4, 0.5, 500, 20, 5, 3.0),
    Traffic("team-d/summaries", "batch", 0.7, 0.8, 0.6, 6000, 300, 2, 30.0),
    Traffic("team-d/labels", "batch", 3.0, 0.3, 0.7, 800, 30, 3, 30.0),
)
BURSTS: Final = (
    Burst("team-a/chat", 420, 40, 3.0),
    Burst("team-b/code", 760, 60, 3.0),
    Burst("team-a/chat", 1130, 45, 3.0),
    Burst("team-c/search", 1300, 420, 8.0, "tenant-0"),
    Burst("team-d/summaries", 2000, 200, 5.0),
    Burst("team-b/code", 2420, 60, 3.0),
    Burst("team-a/agents", 2800, 90, 4.0),
    Burst("team-a/chat", 3150, 45, 3.0),
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request: when, in seconds from the start, what for, and by whom; `output` is what it will be answered with."""

    at: float
    traffic: Traffic
    tenant: str
    prompt: int
    output: int


def arrivals(minutes: int, seed: int = 42) -> Sequence[Arrival]:
    """The first `minutes` of the hour, in order of time."""
    source, end = random.Random(seed), 60.0 * minutes
    found = [each for traffic in TRAFFIC for each in _of(traffic, end, source)]
    return sorted(found, key=lambda each: (each.at, each.traffic.model))


def _of(traffic: Traffic, end: float, source: random.Random) -> Iterator[Arrival]:
    """A Poisson process whose rate changes, by thinning one of the highest rate."""
    bursts = [burst for burst in BURSTS if burst.model == traffic.model]
    highest = traffic.rate * (1 + traffic.tide) * max([1.0, *(burst.times for burst in bursts)])
    now = source.expovariate(highest)
    while now < end:
        usual = traffic.rate * (1 + traffic.tide * math.sin(2 * math.pi * (now / HOUR_SECONDS + traffic.phase)))
        burst = next((each for each in bursts if each.start <= now < each.start + each.seconds), None)
        drawn = source.random() * highest
        if drawn < usual:
            yield _request(now, traffic, f"tenant-{source.randrange(traffic.tenants)}", source)
        elif burst is not None and drawn < usual * burst.times:
            yield _request(now, traffic, burst.tenant or f"tenant-{source.randrange(traffic.tenants)}", source)
        now += source.expovariate(highest)


def _request(now: float, traffic: Traffic, tenant: str, source: random.Random) -> Arrival:
    prompt = max(1, round(source.lognormvariate(math.log(traffic.prompt), traffic.spread)))
    output = max(1, round(source.lognormvariate(math.log(traffic.output), traffic.spread)))
    return Arrival(now, traffic, tenant, prompt, output)
