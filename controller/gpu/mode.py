"""Partition modes: a compute mode and a memory mode, and the one converter between their spellings."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class ModeError(ValueError):
    """A mode that cannot be read, or that a product has not got. The text names the value and the remedy."""


class ComputeMode(StrEnum):
    """How the compute dies of one GPU are grouped. How many partitions that makes depends on the product."""

    SPX = "SPX"
    DPX = "DPX"
    TPX = "TPX"
    QPX = "QPX"
    CPX = "CPX"


class MemoryMode(StrEnum):
    """Into how many NUMA ranges a GPU's memory is divided; always the same on every GPU of a node.

    The driver's NPS8 exists as an enum value only and is left out.
    """

    NPS1 = "NPS1"
    NPS2 = "NPS2"
    NPS4 = "NPS4"

    @property
    def ranges(self) -> int:
        """The number of memory ranges: 1, 2 or 4."""
        return int(self.value.removeprefix("NPS"))


@dataclass(frozen=True, slots=True, order=True)
class Mode:
    """A compute mode together with a memory mode, written ``CPX/NPS4``.

    AMD's labels and resource names write the same as ``cpx_nps4``: see ``profile`` and ``from_profile``.
    The order is that of the text: good for a stable listing, meaningless otherwise.
    """

    compute: ComputeMode
    memory: MemoryMode

    def __str__(self) -> str:
        return f"{self.compute}/{self.memory}"

    @property
    def profile(self) -> str:
        """AMD's spelling in labels, resource names and the DRA driver's partitionProfile: ``cpx_nps4``."""
        return f"{self.compute}_{self.memory}".lower()

    @property
    def scheme(self) -> str:
        """aim-engine's spelling in node labels and profiles, and ours where no slash may stand: ``CPX-NPS4``."""
        return f"{self.compute}-{self.memory}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read our spelling, ``CPX/NPS4``. Raises ModeError naming the value and what is accepted."""
        compute, _, memory = text.partition("/")
        return cls._of(compute, memory, text, "CPX/NPS4")

    @classmethod
    def from_profile(cls, text: str) -> Self:
        """Read AMD's spelling, ``cpx_nps4``. Raises ModeError naming the value and what is accepted."""
        compute, _, memory = text.partition("_")
        if text != text.lower():
            compute = memory = ""  # upper case is our spelling, not AMD's: refuse rather than guess
        return cls._of(compute.upper(), memory.upper(), text, "cpx_nps4")

    @classmethod
    def _of(cls, compute: str, memory: str, text: str, example: str) -> Self:
        try:
            return cls(ComputeMode(compute), MemoryMode(memory))
        except ValueError:
            raise ModeError(
                f"mode {text!r} is not a partition mode: write one of {', '.join(ComputeMode)} "
                f"together with one of {', '.join(MemoryMode)}, such as {example}"
            ) from None


def mode(text: str) -> Mode:
    """Short for Mode.parse, for tables of literals."""
    return Mode.parse(text)
