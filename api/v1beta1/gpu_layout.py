"""Layouts: which mode each GPU of a node is in, or shall be in."""

from collections import Counter
from collections.abc import Iterable

from pydantic import Field

from api.formats import BdfText, ModeText
from api.markers import Rule, keyed_by, rules
from api.object import ApiModel

ONE_MEMORY_MODE = rules(
    Rule(
        "self.gpus.all(g, g.mode.split('/')[1] == self.gpus[0].mode.split('/')[1])",
        "all GPUs of a node share one memory mode: give every GPU the same NPS",
    )
)
"""Rule of a layout that is to be reached."""


class GPUMode(ApiModel):
    """One GPU and a mode."""

    bdf: BdfText = Field(description="PCI address of the GPU, dddd:bb:dd.0.")
    mode: ModeText = Field(description="Mode of the GPU, e.g. CPX/NPS4.")


class Layout(ApiModel):
    """The modes of a node's GPUs."""

    gpus: list[GPUMode] = Field(
        min_length=1,
        max_length=16,
        description="GPUs and their modes, each GPU once.",
        json_schema_extra=keyed_by("bdf"),
    )


def summarise_modes(modes: Iterable[str]) -> str:
    """Modes for a table's column, the most frequent first: ``6xSPX/NPS1,2xCPX/NPS1``; empty when there are none."""
    counts = sorted(Counter(modes).items(), key=lambda entry: (-entry[1], entry[0]))
    return ",".join(f"{count}x{mode}" for mode, count in counts)
