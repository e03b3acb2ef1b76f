"""The fleet as lines of a table, each below what it is part of: as many of them as there is room for. Pure.

At the level of partitions a GPU has a line and each of its partitions one; where a screen has not so many lines, GPUs
stand for their partitions, then nodes for their GPUs, and what is left is counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.cli.counted import counted
from controller.cli.top_fleet import Fleet, GpuRow, NodeRow, PartitionRow
from controller.placement.size_text import gib

NOT_TOLD: Final = "-"


class Level(StrEnum):
    """What has a line of its own."""

    NODE = "node"
    GPU = "gpu"
    PARTITION = "partition"


HEADINGS: Final = ("WHERE", "MODE", "SIZE", "ASKED", "USED", "BUSY", "HEALTH", "OWNER", "MODEL")
WIDE: Final = ("RENDER", "CLAIM", "BINDING")
_NUMBERS: Final = frozenset({"SIZE", "ASKED", "USED", "BUSY"})
#: Characters by which Kubernetes tells the pods of one controller apart.
_TAIL: Final = 5
#: Below so many columns there is no room for models.
_NARROW: Final = 100
#: Lines of a screen that are not rows: the heading, and what stands below the table.
_AROUND: Final = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One line: cells under the headings, and those of `wide` behind them."""

    cells: tuple[str, ...]
    wide: tuple[str, ...] = ("", "", "")


def lines(fleet: Fleet, level: Level) -> list[Line]:
    """The lines of a level."""
    return [line for node in fleet.nodes for line in _of_node(node, level)]


def level_for(fleet: Fleet, height: int) -> Level:
    """The finest level whose lines all find room in so many lines of a screen; nodes where none does."""
    room = height - _AROUND - len(fleet.notes)
    gpus = sum(len(node.gpus) for node in fleet.nodes)
    partitions = sum(len(node.partitions) for node in fleet.nodes)
    if len(fleet.nodes) + gpus + partitions <= room:
        return Level.PARTITION
    return Level.GPU if len(fleet.nodes) + gpus <= room else Level.NODE


def fitting(found: Sequence[Line], height: int, notes: int) -> tuple[Sequence[Line], int]:
    """As many of the lines as find room in so many of a screen, and how many are left out."""
    room = max(1, height - _AROUND - notes)
    if len(found) <= room:
        return found, 0
    return found[: room - 1], len(found) - room + 1


def texts(found: Sequence[Line], width: int, *, wide: bool = False) -> list[str]:
    """The heading and the lines, none longer than `width`: of owners and models what there is room for, models in a
    narrow place not at all. With `wide` nothing is cut, and more is told.
    """
    heads = (*HEADINGS, *WIDE) if wide else HEADINGS if width >= _NARROW else HEADINGS[:-1]
    rows = [heads, *((*line.cells, *line.wide)[: len(heads)] for line in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "  " if wide or width >= _NARROW else " "
    if not wide:
        flexible = [place for place, head in enumerate(heads) if head in ("OWNER", "MODEL")]
        _shrink(widths, flexible, width - len(gap) * (len(widths) - 1))
    right = [head in _NUMBERS for head in heads]
    owners = [head == "OWNER" for head in heads]
    return [gap.join(map(_fitted, row, widths, right, owners)).rstrip() for row in rows]


def _shrink(widths: list[int], flexible: Sequence[int], room: int) -> None:
    """Take what is too much from the flexible columns, the widest first."""
    while sum(widths) > room and any(widths[place] > 1 for place in flexible):
        widths[max(flexible, key=lambda place: widths[place])] -= 1


def _fitted(cell: str, width: int, right: bool, owner: bool) -> str:
    """Pods of one controller differ in their last characters alone, so an owner is cut before these."""
    kept = _TAIL if owner and width > 2 * _TAIL else 0
    cut = cell if len(cell) <= width else f"{cell[: width - 1 - kept]}\N{HORIZONTAL ELLIPSIS}{cell[len(cell) - kept :]}"
    return cut.rjust(width) if right else cut.ljust(width)


def summary(fleet: Fleet) -> str:
    """The fleet in one line."""
    partitions = [one for node in fleet.nodes for one in node.partitions]
    free = sum(one.holder == "free" and one.health == "Healthy" for one in partitions)
    gpus = sum(len(node.gpus) for node in fleet.nodes)
    told = [counted(len(fleet.nodes), "node"), counted(gpus, "GPU"), counted(len(partitions), "partition")]
    told += [f"{free} free"] if partitions else []
    where = f" in {fleet.namespace}" if fleet.namespace is not None else ""
    told += [f"{counted(fleet.waiting, 'claim')} waiting{where}"] if fleet.waiting is not None else []
    return ", ".join(told)


def _of_node(node: NodeRow, level: Level) -> Iterator[Line]:
    yield _whole(node.name, _modes(node), node.partitions, _state(node), sum_of(gpu.bytes for gpu in node.gpus))
    if level is Level.NODE:
        return
    for gpu in node.gpus:
        mode = gpu.mode or "?"
        health = "Problem" if gpu.problem else _health(gpu.partitions)
        yield _whole(f"  {gpu.bdf}", mode, gpu.partitions, health, gpu.bytes, gpu.product)
        if level is Level.PARTITION:
            yield from (_partition(gpu, one) for one in gpu.partitions)


def _whole(
    name: str, mode: str, partitions: Sequence[PartitionRow], health: str, size: int | None, model: str = ""
) -> Line:
    """A line that stands for its partitions: sums of what is told of all that somebody holds, and the mean of busy."""
    held = [one for one in partitions if one.holder != "free"]
    asked = [one.owner.asked_bytes if one.owner is not None else None for one in held]
    busy = [one.use.busy for one in partitions if one.use.busy is not None]
    return Line(
        (
            name,
            mode,
            _size(size),
            _size(sum_of(asked)),
            _size(sum_of(one.use.used_bytes for one in partitions) if partitions else None),
            _share(sum(busy) / len(busy) if busy else None),
            health,
            f"{len(held)} of {len(partitions)} held",
            model,
        )
    )


def sum_of(told: Iterable[int | None]) -> int | None:
    """The sum; None where a part of it is not told."""
    found = list(told)
    return None if None in found else sum(one for one in found if one is not None)


def _partition(gpu: GpuRow, one: PartitionRow) -> Line:
    owner = one.owner
    named = (
        owner.name if owner is not None else {"ours": "not shown", "foreign": "not managed here"}.get(one.holder, "")
    )
    cells = (
        f"    {one.number}",
        gpu.mode or "?",
        _size(one.bytes),
        _size(owner.asked_bytes if owner is not None else None),
        _size(one.use.used_bytes),
        _share(one.use.busy),
        one.health,
        named,
        owner.model if owner is not None else "",
    )
    claim, binding = (owner.claim, owner.binding) if owner is not None else ("", "")
    return Line(cells, (f"renderD{one.render}", claim, binding))


def _modes(node: NodeRow) -> str:
    found = sorted({gpu.mode or "?" for gpu in node.gpus})
    return found[0] if len(found) == 1 else f"{len(found)} modes"


def _state(node: NodeRow) -> str:
    if not node.ready:
        return "Unknown" if node.ready is None else "NotReady"
    if not node.managed:
        return "NotManaged"
    return "Paused" if node.paused else _health(node.partitions)


def _health(partitions: Sequence[PartitionRow]) -> str:
    bad = sum(one.health != "Healthy" for one in partitions)
    return f"{bad} not well" if bad else "Healthy"


def _size(size: int | None) -> str:
    return NOT_TOLD if size is None else gib(size).removesuffix(" GiB") + "G"


def _share(share: float | None) -> str:
    return NOT_TOLD if share is None else f"{share:.0%}"
