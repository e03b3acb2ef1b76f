"""The node behind the stub, as tests say it: one line of its file for each fact. The stub rewrites the file at changes.

    driver VERSION                      requested NPS4|-                   lost_on_reload BDF
    gpu BDF NAME DEVICE_ID SERIAL GRAPHICS DIES UNITS MIB COMPUTE MEMORY RENDER CARD CORRECTABLE UNCORRECTABLE DEFERRED
        HIVE_ID (in one line)
    sensors BDF HOTSPOT MEMORY EDGE WATTS AVERAGE_WATTS (whole degrees and watts, 65535: not told)
    used|busy BDF PARTITION MIB|PERCENT profile INDEX TYPE PARTITIONS CAPS process BDF PID NAME
    fault CALL BDF|* STATUS TIMES       hole CALL BDF|* PARTITION|-1       option NAME NUMBER

A fault's times -1 is always, its status HANGS hangs until `release`. A hole makes a call answer as the library does
where it does not know (N/A); the hole "partition" takes the partition away. Options are named in calls.c.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from controller.agent.backend import HOTSPOT, MEMORY
from controller.agent.simulated_seed import market_name, seeded_gpus
from controller.agent.simulated_use import IDLE
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import Product, product_named

HANGS = 1000
ALWAYS = -1
UINT32_MAX = 2**32 - 1

RELOAD = "amdsmi_gpu_driver_reload"
SET_MEMORY = "amdsmi_set_gpu_memory_partition"
SET_COMPUTE = "amdsmi_set_gpu_compute_partition"
SET_PROFILE = "amdsmi_set_gpu_accelerator_partition_profile"
CHANGES = frozenset({RELOAD, SET_MEMORY, SET_COMPUTE, SET_PROFILE})


NOT_TOLD = 65535

_IDLE = (
    *map(int, (IDLE.temperatures[HOTSPOT], IDLE.temperatures[MEMORY])),
    NOT_TOLD,
    int(IDLE.power_watts or 0),
    NOT_TOLD,
)
"""What a GPU tells that nobody uses: no edge sensor and no average, as an MI300X."""


@dataclass(frozen=True, slots=True)
class StubProfile:
    """One accelerator partition profile as a card reports it."""

    index: int
    compute: str
    partitions: int
    memories: frozenset[MemoryMode]


def profiles_of(product: Product) -> tuple[StubProfile, ...]:
    """The profiles of a card that can do all its driver allows; none for one that cannot be divided."""
    if not product.partitionable:
        return ()
    return tuple(
        StubProfile(
            index,
            compute,
            product.partition_count(compute),
            frozenset(mode.memory for mode in product.allowed if mode.compute is compute),
        )
        for index, compute in enumerate(product.compute_modes)
    )


@dataclass
class StubNode:
    """A node of `gpus` GPUs of one product, those of the simulated server, in one mode."""

    mode: str = "SPX/NPS1"
    product: str = "MI300X"
    gpus: int = 2
    device_id: int | None = None
    vram_mib: int | None = None
    profiles: tuple[StubProfile, ...] | None = None
    ecc: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    requested: str = "-"
    lost_on_reload: str = ""
    used_mib: dict[tuple[str, int], int] = field(default_factory=dict)
    busy_percent: dict[tuple[str, int], int] = field(default_factory=dict)
    sensors: dict[str, tuple[int, int, int, int, int]] = field(default_factory=dict)
    processes: list[tuple[str, int, str]] = field(default_factory=list)
    faults: list[tuple[str, str, int, int]] = field(default_factory=list)
    holes: list[tuple[str, str, int]] = field(default_factory=list)
    options: dict[str, int] = field(default_factory=dict)

    def lines(self) -> Iterable[str]:
        """The file, line by line."""
        product = product_named(self.product)
        mode = Mode.parse(self.mode)
        yield "driver 6.12.12"
        yield f"requested {self.requested}"
        if self.lost_on_reload:
            yield f"lost_on_reload {self.lost_on_reload}"
        for seeded in seeded_gpus(self.gpus, product):
            facts = (
                seeded.bdf,
                market_name(product),
                product.device_id if self.device_id is None else self.device_id,
                seeded.unique_id,
                _graphics(product),
                product.xcds,
                product.compute_units,
                self.vram_mib or product.vram_mib,
                mode.compute,
                mode.memory,
                seeded.first_render_index,
                seeded.first_card_index,
                *self.ecc.get(seeded.bdf, (0, 0, 0)),
                seeded.hive_id,
            )
            yield " ".join(["gpu", *map(str, facts)])
            yield " ".join(["sensors", seeded.bdf, *map(str, self.sensors.get(seeded.bdf, _IDLE))])
        yield from (f"used {bdf} {part} {mib}" for (bdf, part), mib in self.used_mib.items())
        yield from (f"busy {bdf} {part} {percent}" for (bdf, part), percent in self.busy_percent.items())
        for one in profiles_of(product) if self.profiles is None else self.profiles:
            yield f"profile {one.index} {one.compute} {one.partitions} {sum(m.ranges for m in one.memories)}"
        yield from (f"process {bdf} {pid} {name or '-'}" for bdf, pid, name in self.processes)
        yield from (f"fault {call} {bdf} {status} {times}" for call, bdf, status, times in self.faults)
        yield from (f"hole {call} {bdf} {partition}" for call, bdf, partition in self.holes)
        yield from (f"option {name} {value}" for name, value in self.options.items())


def _graphics(product: Product) -> int:
    """The graphics version as the library has it: digits of major, minor and stepping in hex, 0x942 for 9.4.2."""
    major, rest = divmod(product.gfx_version, 10000)
    minor, step = divmod(rest, 100)
    return int(f"{major}{minor}{step:x}", 16)


@dataclass(frozen=True, slots=True)
class StubFolder:
    """Where the stub reads its node and logs its calls."""

    path: Path

    def write(self, node: StubNode) -> None:
        """Put the node there, with an empty log."""
        (self.path / "node").write_text("\n".join([*node.lines(), ""]))
        (self.path / "calls").write_text("")
        (self.path / "release").unlink(missing_ok=True)

    def modes(self) -> dict[str, str]:
        """The modes that the stub's GPUs are in, by address."""
        return {words[1]: f"{ComputeMode(words[9])}/{MemoryMode(words[10])}" for words in self.lines("gpu")}

    def lines(self, kind: str) -> list[list[str]]:
        """The words of each of the node's lines of that kind."""
        words = [line.split() for line in (self.path / "node").read_text().splitlines()]
        return [line for line in words if line[0] == kind]

    def drop(self, kind: str) -> None:
        """Everything of that kind is over."""
        lines = (self.path / "node").read_text().splitlines(keepends=True)
        (self.path / "node").write_text("".join(line for line in lines if line.split()[0] != kind))

    def add(self, *lines: str) -> None:
        """Something else about the node, as it is now."""
        with (self.path / "node").open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def calls(self) -> list[str]:
        """Every call so far: name, partition (- for none), argument where it takes one, status."""
        return (self.path / "calls").read_text().splitlines()

    def changes(self) -> list[str]:
        """The calls that change something or try to."""
        return [call for call in self.calls() if call.split()[0] in CHANGES]

    @property
    def released(self) -> bool:
        """Whether calls that hang go on."""
        return (self.path / "release").exists()

    def wait_for_change(self) -> None:
        """Block until a change was begun."""
        while not self.changes():
            time.sleep(0.005)

    def release(self) -> None:
        """Let every call that hangs go on."""
        (self.path / "release").touch()
