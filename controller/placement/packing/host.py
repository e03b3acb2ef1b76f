"""A node as scorers see it, and what a pod asks of it. Amounts of GPU are thousandths of a whole GPU."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

#: A whole GPU.
WHOLE: Final = 1000

#: A number, or an array of numbers: scorers' formulas are written so that they hold for both.
Amount: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Ask:
    """What a pod asks for: CPU in thousandths of a core, memory in MiB, and `count` pieces of `milli` GPU each.

    `count` 0 asks for no GPU. `models` empty takes any model of GPU.
    """

    cpu_milli: int
    memory_mib: int = 0
    count: int = 0
    milli: int = 0
    models: frozenset[str] = frozenset()

    @property
    def gpu_milli(self) -> int:
        """All pieces together."""
        return self.count * self.milli

    @property
    def shares(self) -> bool:
        """Whether it leaves a part of a GPU to others."""
        return self.count == 1 and self.milli < WHOLE


@dataclass(frozen=True, slots=True)
class Host:
    """What is left on a node. `pieces` are its GPUs' free parts, the smallest first, those that are used up included.

    `divisible`: a piece can be given away in part, as in a cluster that shares GPUs by thousandths. Else a piece is a
    hardware partition, which goes as a whole, and WHOLE says only how much of a GPU it is.
    """

    cpu_milli: Amount
    memory_mib: Amount
    pieces: Sequence[Amount]
    model: str = ""
    divisible: bool = True

    @property
    def idle(self) -> Amount:
        """Free GPU, all pieces together."""
        return sum(self.pieces)

    @property
    def whole(self) -> Amount:
        """How many GPUs are wholly free."""
        return sum((piece == WHOLE) * 1 for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Place:
    """One way to give a host's pieces to a pod: their positions, and the host afterwards."""

    pieces: tuple[int, ...]
    after: Host


def share_left(milli: int, size: int) -> int:
    """What is left of a piece of that size when a share of it is given away."""
    return size - milli


def partition_left(_milli: int, _size: int) -> int:
    """The same of a hardware partition: nothing, it goes as a whole."""
    return 0


def admits(host: Host, ask: Ask) -> bool:
    """Whether CPU, memory and the model of GPU suffice; the pieces are not looked at."""
    suits = not ask.models or not ask.count or host.model in ask.models
    return suits and ask.cpu_milli <= host.cpu_milli and ask.memory_mib <= host.memory_mib


def places(host: Host, ask: Ask) -> Iterator[Place]:
    """Every way that differs: of pieces of equal size the first stand for all. Nothing where the pod does not fit.

    Several pieces are of one size: pods of several GPUs take whole ones, or partitions that are alike.
    """
    if not admits(host, ask):
        return
    if ask.count == 0:
        yield Place((), _taken(host, ask, ()))
        return
    before = -1
    for position, piece in enumerate(host.pieces):
        last = position + ask.count
        if piece >= ask.milli and piece != before and last <= len(host.pieces) and host.pieces[last - 1] == piece:
            yield Place(tuple(range(position, last)), _taken(host, ask, tuple(range(position, last))))
        before = piece


def _taken(host: Host, ask: Ask, positions: tuple[int, ...]) -> Host:
    pieces = list(host.pieces)
    for position in positions:
        pieces[position] = pieces[position] - ask.milli if host.divisible else 0
    return replace(
        host,
        cpu_milli=host.cpu_milli - ask.cpu_milli,
        memory_mib=host.memory_mib - ask.memory_mib,
        pieces=tuple(sorted(pieces)),
    )
