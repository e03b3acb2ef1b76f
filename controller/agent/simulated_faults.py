"""What goes wrong with simulated hardware, and when: a script of faults, and the player that a node asks at each call.

A fault strikes at a call (a status, a hang, a mode that does not stick) or begins with one and lasts (a lost GPU,
memory errors, a foreign process). A script is data, so that a file can hold it:

    {"durations": {"reload_seconds": 20},
     "faults": [{"fault": "Busy", "call": "SetComputeMode", "nth": 2, "times": 3},
                {"fault": "GpuLost", "node": "node-1", "gpu": "0000:e5:00.0", "seconds": 600}]}
"""

import math
from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from controller.runtime.clock import Clock


class FaultScriptError(ValueError):
    """A script that cannot be played. The text names file or entry, the value and the remedy."""


class Call(StrEnum):
    """The backend's calls."""

    READ = "Read"
    SET_MEMORY_MODE = "SetMemoryMode"
    RELOAD_DRIVER = "ReloadDriver"
    SET_COMPUTE_MODE = "SetComputeMode"
    PROCESSES = "Processes"
    USAGE = "Usage"


class Fault(StrEnum):
    """Everything that can go wrong; MEANINGS says what each is."""

    BUSY = "Busy"
    NOT_PERMITTED = "NotPermitted"
    RESTART_FAILED = "RestartFailed"
    SETTING_UNAVAILABLE = "SettingUnavailable"
    RELOAD_HANGS = "ReloadHangs"
    RELOAD_FAILS_HALF_WAY = "ReloadFailsHalfWay"
    MODE_NOT_KEPT = "ModeNotKept"
    GPU_LOST = "GpuLost"
    MEMORY_ERRORS = "MemoryErrors"
    FOREIGN_PROCESS = "ForeignProcess"
    NOT_TOLD = "NotTold"
    MODE_NOT_TOLD = "ModeNotTold"
    COUNTS_DIFFER = "CountsDiffer"
    PARTITION_MISSING = "PartitionMissing"


MEANINGS: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.BUSY: "A change is refused with status 30",
        Fault.NOT_PERMITTED: "A change is refused with status 10",
        Fault.RESTART_FAILED: "A reload is refused with status 54; the driver stays as it was",
        Fault.SETTING_UNAVAILABLE: "A mode is refused with status 55",
        Fault.RELOAD_HANGS: "A reload takes `seconds` (unset: for ever), and nothing answers until it has happened",
        Fault.RELOAD_FAILS_HALF_WAY: "A reload ends with status 54 after the driver was unloaded: none answers for "
        "`seconds` (unset: until the next reload loads it again)",
        Fault.MODE_NOT_KEPT: "A change succeeds, and the mode reads back as it was",
        Fault.GPU_LOST: "A GPU is not there any more",
        Fault.MEMORY_ERRORS: "A GPU counts memory errors, uncorrectable ones among them",
        Fault.FOREIGN_PROCESS: "A process that no claim stands behind has a GPU open",
        Fault.NOT_TOLD: "A GPU answers N/A when asked for its use, its sensors and its memory errors",
        Fault.MODE_NOT_TOLD: "A GPU's mode cannot be read",
        Fault.COUNTS_DIFFER: "KFD shows one partition of a GPU less than AMD SMI does",
        Fault.PARTITION_MISSING: "The last partition of a GPU is shown by nobody: another driver holds its device",
    }
)
"""What hardware and driver do, a phrase each."""

_CHANGES = (Call.SET_COMPUTE_MODE, Call.SET_MEMORY_MODE, Call.RELOAD_DRIVER)
_SETS = (Call.SET_COMPUTE_MODE, Call.SET_MEMORY_MODE)
_RELOAD = (Call.RELOAD_DRIVER,)

STRIKES: Mapping[Fault, tuple[Call, ...]] = MappingProxyType(
    {
        Fault.BUSY: _SETS,
        Fault.NOT_PERMITTED: _CHANGES,
        Fault.RESTART_FAILED: _RELOAD,
        Fault.SETTING_UNAVAILABLE: _SETS,
        Fault.RELOAD_HANGS: _RELOAD,
        Fault.RELOAD_FAILS_HALF_WAY: _RELOAD,
        Fault.MODE_NOT_KEPT: _CHANGES,
    }
)
"""The calls at which the faults that strike can do so."""

LASTING: Mapping[Fault, Call] = MappingProxyType(
    {
        Fault.GPU_LOST: Call.RELOAD_DRIVER,
        Fault.MEMORY_ERRORS: Call.READ,
        Fault.FOREIGN_PROCESS: Call.READ,
        Fault.NOT_TOLD: Call.READ,
        Fault.MODE_NOT_TOLD: Call.READ,
        Fault.COUNTS_DIFFER: Call.READ,
        Fault.PARTITION_MISSING: Call.READ,
    }
)
"""The faults that last, and the call with which each begins unless the script says otherwise. A reload begins one at
its end: what is lost then was there before."""


TIMED = frozenset(LASTING) | {Fault.RELOAD_HANGS, Fault.RELOAD_FAILS_HALF_WAY}
"""The faults for which `seconds` means something."""


class ScriptedFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault. `call` unset: any at which it can strike, or the usual one of those that last.

    `nth` (from 1) counts such calls, on `gpu` only where that is set, and says which one it strikes or begins with;
    `times` is how many calls in a row it strikes, 0: all from there on. `seconds` of the clock: how long one that lasts
    does so, unset: until the node is restarted; or what MEANINGS says of it. `node`: the one it befalls, unset: all of
    them. `gpu` is an address; unset: the one the call is about, for those that last the node's last one.
    """

    fault: Fault
    call: Call | None = None
    nth: int = 1
    times: int = 1
    seconds: float | None = None
    gpu: str | None = None
    node: str | None = None

    def __post_init__(self) -> None:
        for field, value, least in (("nth", self.nth, 1), ("times", self.times, 0), ("seconds", self.seconds or 0, 0)):
            if value < least:
                raise FaultScriptError(f"{self.fault}: {field} {value:g}: give {least} or more")
        if self.seconds is not None and self.fault not in TIMED:
            raise FaultScriptError(
                f"{self.fault}: seconds {self.seconds:g}: it strikes calls and does not last: give times instead"
            )
        possible = STRIKES.get(self.fault, tuple(Call))
        if self.call is not None and self.call not in possible:
            raise FaultScriptError(f"{self.fault}: call {self.call}: it can be at {', '.join(possible)}")

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls that count for it."""
        if self.call is not None:
            return (self.call,)
        return STRIKES.get(self.fault) or (LASTING[self.fault],)


class Durations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long changes take, in seconds; the node's time scale multiplies them.

    Of the order that operators of such servers report, not measured. `reload_timeout_seconds` is when a reload that
    hangs is given up.
    """

    compute_seconds: float = 1.5
    memory_seconds: float = 1.0
    reload_seconds: float = 20.0
    reload_seconds_per_gpu: float = 2.5
    reload_timeout_seconds: float = 300.0

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            seconds: float = getattr(self, field)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise FaultScriptError(f"durations: {field} {seconds:g}: give 0 or more")


class FaultScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All faults of some nodes, and their durations."""

    faults: tuple[ScriptedFault, ...] = ()
    durations: Durations = Durations()

    def of(self, node: str) -> "FaultScript":
        """What of it befalls a node."""
        return FaultScript(tuple(fault for fault in self.faults if fault.node in (None, node)), self.durations)

    def require_nodes(self, nodes: Collection[str]) -> None:
        """Raise FaultScriptError for a fault of a node that is none of these."""
        for index, fault in enumerate(self.faults):
            if fault.node is not None and fault.node not in nodes:
                raise FaultScriptError(
                    f"faults[{index}]: {fault.fault}: node {fault.node!r}: is not simulated here; "
                    f"use one of {', '.join(sorted(nodes)[:_SHOWN_NODES])}"
                )


_SHOWN_NODES = 8

NO_FAULTS = FaultScript()


class FaultPlayer:
    """Plays one script for one node: counts its calls and knows what lasts."""

    def __init__(self, script: FaultScript, clock: Clock) -> None:
        self._script = list(script.faults)
        self._clock = clock
        self._seen = [0] * len(script.faults)
        self._ends: dict[int, float | None] = {}

    def add(self, fault: ScriptedFault) -> None:
        """One more fault, for calls from now on."""
        self._script.append(fault)
        self._seen.append(0)

    def begin(self, call: Call, gpu: str | None = None) -> ScriptedFault | None:
        """Count a call; the first fault that strikes it. Those that last begin here, but at a reload with its end."""
        struck = self._count(call, gpu, STRIKES)
        if call is not Call.RELOAD_DRIVER:
            self._count(call, gpu, LASTING)
        return struck[0] if struck else None

    def reload_ended(self) -> None:
        """A reload has happened: what it was to begin begins."""
        self._count(Call.RELOAD_DRIVER, None, LASTING)

    def lasting(self, fault: Fault, default_gpu: str) -> frozenset[str]:
        """The GPUs that now have that fault."""
        now = self._clock.monotonic()
        return frozenset(
            self._script[index].gpu or default_gpu
            for index, end in self._ends.items()
            if self._script[index].fault is fault and (end is None or now < end)
        )

    def restart(self) -> None:
        """The node was restarted: nothing lasts any more. What was counted stays counted."""
        self._ends.clear()

    def _count(self, call: Call, gpu: str | None, kinds: Collection[Fault]) -> list[ScriptedFault]:
        """Count the call for faults of these kinds; those that are due now, begun if they last."""
        due = []
        for index, fault in enumerate(self._script):
            if fault.fault not in kinds or not _concerns(fault, call, gpu):
                continue
            self._seen[index] += 1
            if _due(fault, self._seen[index]):
                due.append(fault)
                if fault.fault in LASTING:
                    self._ends[index] = None if fault.seconds is None else self._clock.monotonic() + fault.seconds
        return due


def _concerns(fault: ScriptedFault, call: Call, gpu: str | None) -> bool:
    if call not in fault.calls:
        return False
    return fault.fault in LASTING or fault.gpu is None or gpu is None or fault.gpu == gpu


def _due(fault: ScriptedFault, seen: int) -> bool:
    return seen >= fault.nth and (fault.times == 0 or seen < fault.nth + fault.times)
