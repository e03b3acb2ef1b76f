"""Fixed shares of one partition for the members of a share group: memory in bytes, compute units as ranges. Pure.

A share is set when its member is bound and never changes while the member lives. A member's part of the compute units
is its part of the memory, whoever else is there: what memory is left always has compute units left with it, and no
member's speed depends on who came first.

Ranges are contiguous as long as the partition has one gap that is large enough. The driver deals a mask's bits to the
dies and shader engines in turn (Linux ``kfd_mqd_manager.c``, ``mqd_symmetrically_map_cu_mask``), so that a contiguous
range loads all of them alike, within one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

Units = tuple[tuple[int, int], ...]
"""Ranges of compute units, first and last, in order and apart from each other."""

_TEXT: Final = r"([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)?"


class ShareError(ValueError):
    """Shares that contradict one another or their partition: the text names them."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The partition. `compute_units` 0: not known, and then nobody has a share of them."""

    bytes: int
    compute_units: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one member has of the partition. `member` is its pod's uid."""

    member: str
    bytes: int
    units: Units = ()


@dataclass(frozen=True, slots=True)
class Left:
    """What the shares leave of the partition. `units` None: its compute units are not known."""

    bytes: int
    units: int | None


def left(whole: Whole, shares: Iterable[Share]) -> Left:
    """What is left. Raises ShareError when the shares are more than the partition, or overlap: never clamped."""
    held = tuple(shares)
    rest = whole.bytes - sum(share.bytes for share in held)
    if rest < 0:
        raise ShareError(f"shares of {sum(share.bytes for share in held)} bytes in a partition of {whole.bytes}")
    if not whole.compute_units:
        return Left(rest, None)
    return Left(rest, sum(last - first + 1 for first, last in _gaps(whole, held)))


def take(whole: Whole, shares: Sequence[Share], member: str, size: int) -> Share | None:
    """The share of a member that needs `size` bytes beside the others; None where they leave too little.

    Raises ShareError as `left`, and for a member that has a share already.
    """
    if any(share.member == member for share in shares):
        raise ShareError(f"member {member} has its share already")
    rest = left(whole, shares)
    if size > rest.bytes or size <= 0 or rest.units == 0:
        return None
    if rest.units is None:
        return Share(member, size)
    return Share(member, size, _chosen(_gaps(whole, shares), min(units_for(whole, size), rest.units)))


def units_for(whole: Whole, size: int) -> int:
    """The compute units that go with so much memory: the same part, rounded down, but one at least."""
    return max(1, whole.compute_units * size // whole.bytes)


def _chosen(gaps: Sequence[tuple[int, int]], count: int) -> Units:
    """The smallest gap that holds them all, else the largest ones together."""
    fitting = [gap for gap in gaps if _size(gap) >= count]
    if fitting:
        first, _ = min(fitting, key=lambda gap: (_size(gap), gap))
        return ((first, first + count - 1),)
    chosen: list[tuple[int, int]] = []
    for first, last in sorted(gaps, key=lambda gap: (-_size(gap), gap)):
        got = min(count, last - first + 1)
        if got:
            chosen.append((first, first + got - 1))
        count -= got
    return tuple(sorted(chosen))


def _size(gap: tuple[int, int]) -> int:
    return gap[1] - gap[0] + 1


def _gaps(whole: Whole, shares: Iterable[Share]) -> list[tuple[int, int]]:
    """The free ranges, in order. Raises ShareError for ranges that overlap or are not the partition's."""
    gaps: list[tuple[int, int]] = []
    free = 0
    for first, last in sorted(units for share in shares for units in share.units):
        if first < free or last < first or last >= whole.compute_units:
            raise ShareError(f"compute units {first}-{last} are taken, or not of the {whole.compute_units} there are")
        if first > free:
            gaps.append((free, first - 1))
        free = last + 1
    return [*gaps, (free, whole.compute_units - 1)] if free < whole.compute_units else gaps


def units_text(units: Units) -> str:
    """Ranges in words, `0-12,20-24`; empty without any."""
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in units)


def parse_units(text: str) -> Units:
    """What `units_text` wrote. Raises ShareError for another text."""
    if not re.fullmatch(_TEXT, text):
        raise ShareError(f"{text!r} is no list of compute units; ranges such as 0-12,20-24 are")
    ends = [part.partition("-") for part in text.split(",") if part]
    return tuple((int(first), int(last or first)) for first, _, last in ends)


def cu_mask(units: Units) -> str:
    """The value of HSA_CU_MASK for a container that sees one device, its number 0; empty without compute units.

    Format: ROCm documentation, "Setting the number of compute units": `GPU_list : CU_list`, where the GPUs are counted
    after ROCR_VISIBLE_DEVICES; a GPU that is not listed keeps all of its units.
    """
    return f"0:{units_text(units)}" if units else ""
