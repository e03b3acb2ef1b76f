"""What goes wrong during a run of chaos, whom it befalls, when and for how long. Pure: the same seed, the same schedule.

Every fault has an end and is undone by then. At most two last at once, never two of one target, and never two of those
that take the control plane's store away: a cluster without API server shows nothing about ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """Everything that can go wrong."""

    KILL = "kill"
    """SIGKILL, and a start `seconds` later."""
    STOP = "stop"
    """SIGSTOP, and SIGCONT `seconds` later: the process finds all its deadlines gone."""
    CLOCK = "clock"
    """The process's date is `size` seconds ahead of the others' (negative: behind)."""
    EXPIRE = "expire"
    """No operator runs until the webhooks' certificate has ended."""
    DROP = "drop"
    """Connections to the API server break, and none is accepted."""
    STALL = "stall"
    """Connections to the API server stay open, and nothing passes."""
    SLOW = "slow"
    """Every piece of data to and from the API server is `size` seconds late."""
    HARDWARE = "hardware"
    """GPUs misbehave, as `detail` says; the agent begins anew before and after."""


OPERATORS: Final = ("operator-0", "operator-1")
AGENTS: Final = ("agent-0", "agent-1")
GATEWAY: Final = "gateway"
API_SERVER: Final = "kube-apiserver"
ETCD: Final = "etcd"
CONTROLLERS: Final = ("kube-scheduler", "kube-controller-manager")
OURS: Final = (*OPERATORS, *AGENTS, GATEWAY)
STORE: Final = frozenset({API_SERVER, ETCD})
"""Without them nobody can read or write."""
ALL_OPERATORS: Final = "operators"

HARDWARE_FAULTS: Final = ("Busy", "ModeNotKept", "RestartFailed", "GpuLost", "MemoryErrors", "ForeignProcess")
"""Of `controller.agent.simulated_faults`: those that a node can have for a while, and be well again."""

TARGETS: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {
        # ours twice: they are what is tried
        Kind.KILL: (*OURS, *OURS, API_SERVER, ETCD, *CONTROLLERS),
        Kind.STOP: (*OURS, *OURS, API_SERVER, ETCD, *CONTROLLERS),
        Kind.CLOCK: (*OPERATORS, *AGENTS),
        Kind.EXPIRE: (ALL_OPERATORS,),
        Kind.DROP: OURS,
        Kind.STALL: OURS,
        Kind.SLOW: OURS,
        Kind.HARDWARE: AGENTS,
    }
)

LASTS: Final[Mapping[Kind, tuple[float, float]]] = MappingProxyType(
    {
        Kind.KILL: (0.0, 8.0),
        Kind.STOP: (1.0, 12.0),  # longer than the operators' lease is good, now and then
        Kind.CLOCK: (10.0, 25.0),
        Kind.EXPIRE: (0.0, 0.0),  # `certificate_seconds` of the settings
        Kind.DROP: (1.0, 10.0),
        Kind.STALL: (1.0, 12.0),
        Kind.SLOW: (5.0, 20.0),
        Kind.HARDWARE: (10.0, 25.0),
    }
)
"""Seconds, from and to."""

WEIGHTS: Final[Mapping[Kind, float]] = MappingProxyType(
    dict.fromkeys(Kind, 1.0)
    # without operators there is little to break
    | {Kind.KILL: 2.0, Kind.STOP: 2.0, Kind.EXPIRE: 0.15}
)
"""How often each is drawn, beside the others."""

CLOCK_JUMPS: Final = (-3600.0, -45.0, 45.0, 3600.0)
SLOWNESS: Final = (0.05, 0.2, 0.8)
MOST_AT_ONCE: Final = 2
_IN_A_RUN: Final = 5
"""So many of the longest fit one after another into a short run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at`: seconds after the run's beginning; `seconds`: how long it lasts. `size`, `detail`: see Kind."""

    kind: Kind
    target: str
    at: float
    seconds: float
    size: float = 0.0
    detail: str = ""

    @property
    def end(self) -> float:
        """When it is undone."""
        return self.at + self.seconds

    @property
    def touches(self) -> frozenset[str]:
        """The processes that it concerns."""
        return frozenset(OPERATORS) if self.target == ALL_OPERATORS else frozenset({self.target})

    def __str__(self) -> str:
        how = f" {self.detail}" if self.detail else f" {self.size:+g} s" if self.size else ""
        return f"{self.kind} {self.target}{how} for {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Settings:
    """`seconds`: within which all faults begin and end. `gap_seconds`: mean time from one beginning to the next.

    `certificate_seconds`: how long the webhooks' certificate lasts. `kinds`: those that may be drawn.
    """

    seconds: float
    gap_seconds: float = 6.0
    certificate_seconds: float = 60.0
    kinds: Sequence[Kind] = tuple(Kind)


def schedule(seed: int, settings: Settings) -> tuple[Fault, ...]:
    """The faults in the order in which they begin. Every kind that has the time for it comes at least once."""
    rng, found, at = Random(seed), list[Fault](), 0.0
    pending = list(settings.kinds)
    rng.shuffle(pending)
    while True:
        at += rng.uniform(0.3, 1.7) * settings.gap_seconds
        if at >= settings.seconds:
            return tuple(found)
        kind = pending.pop() if pending else rng.choices(settings.kinds, [WEIGHTS[one] for one in settings.kinds])[0]
        fault = _drawn(rng, kind, at, settings)
        if _fits(fault, found, settings):
            found.append(fault)
        elif not any(one.kind is kind for one in found) and fault.end <= settings.seconds:
            pending.append(kind)  # it comes later


def _drawn(rng: Random, kind: Kind, at: float, settings: Settings) -> Fault:
    target = rng.choice(TARGETS[kind])
    shortest, longest = (min(one, settings.seconds / _IN_A_RUN) for one in LASTS[kind])
    seconds = settings.certificate_seconds if kind is Kind.EXPIRE else round(rng.uniform(shortest, longest), 2)
    size, detail = 0.0, ""
    if kind is Kind.CLOCK:
        size = rng.choice(CLOCK_JUMPS)
    elif kind is Kind.SLOW:
        size = rng.choice(SLOWNESS)
    elif kind is Kind.HARDWARE:
        detail = rng.choice(HARDWARE_FAULTS)
    return Fault(kind, target, round(at, 2), seconds, size, detail)


def _fits(fault: Fault, others: Sequence[Fault], settings: Settings) -> bool:
    """Whether it is over in time, and what lasts beside it allows it."""
    beside = [one for one in others if one.at < fault.end and fault.at < one.end]
    if fault.end > settings.seconds or len(beside) >= MOST_AT_ONCE:
        return False
    if any(one.touches & fault.touches for one in beside):
        return False
    return not (fault.target in STORE and any(one.target in STORE for one in beside))
