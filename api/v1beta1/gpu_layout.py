"""Layouts: which mode each GPU of a node is in, or shall be in."""

from collections import Counter
from collections.abc import Iterable

from pydantic import Field

from api.formats import MODE_PATTERN, BdfText, ReportedMode
from api.markers import Rule, keyed_by
from api.object import ApiModel

_MEMORY_MODES = "['NPS1', 'NPS2', 'NPS4'].filter(memory, self.gpus.exists(g, g.mode.endsWith(memory)))"

ONE_MEMORY_MODE = Rule(
    f"size({_MEMORY_MODES}) <= 1",
    "all GPUs of a node share one memory mode: give every GPU the same NPS",
    "'memory modes %s stand side by side, but all GPUs of a node share one memory mode: give every GPU the same NPS'"
    f".format([{_MEMORY_MODES}])",
)
"""Rule of a layout that is to be reached, or returned to."""

_UNKNOWN = f"self.gpus.filter(g, g.mode.matches('^[A-Z]+/NPS[0-9]$') && !g.mode.matches(r'{MODE_PATTERN}'))"

MODES_THAT_EXIST = Rule(
    f"size({_UNKNOWN}) == 0",
    "a mode has more memory ranges than partitions: write SPX/NPS1, DPX/NPS1, DPX/NPS2 or TPX/NPS1, or QPX or CPX with "
    "NPS1, NPS2 or NPS4",
    "'%s: no GPU has such a partition mode, write SPX/NPS1, DPX/NPS1, DPX/NPS2 or TPX/NPS1,"
    f" or QPX or CPX with NPS1, NPS2 or NPS4, such as CPX/NPS4'.format([{_UNKNOWN}.map(g, g.mode)])",
)
"""Rule of a layout that a person may write."""

_ON_ONE_SIDE = (
    "(self.to.gpus.filter(t, !self.from.gpus.exists(f, f.bdf == t.bdf)).map(t, t.bdf)"
    " + self.from.gpus.filter(f, !self.to.gpus.exists(t, t.bdf == f.bdf)).map(f, f.bdf))"
)

SAME_GPUS = Rule(
    f"size({_ON_ONE_SIDE}) == 0",
    "from and to name different GPUs: name the same GPUs in both",
    f"'GPUs %s stand in one of from and to only: name the same GPUs in both'.format([{_ON_ONE_SIDE}])",
    field_path=".to",
)

SOMETHING_CHANGES = Rule(
    "self.to.gpus.exists(t, !self.from.gpus.exists(f, f.bdf == t.bdf && f.mode == t.mode))",
    "every GPU in to has the mode it has in from: nothing would change, give another mode",
    "'modes %s in to are those in from: nothing would change, give another mode'.format([self.to.gpus.map(t, t.mode)])",
    field_path=".to",
)

A_CHANGE = (SAME_GPUS, SOMETHING_CHANGES)
"""Rules of an object with the layouts ``from`` and ``to``."""


class GPUMode(ApiModel):
    """One GPU and a mode."""

    bdf: BdfText = Field(description="PCI address of the GPU, dddd:bb:dd.0.")
    mode: ReportedMode = Field(description="Mode of the GPU, e.g. CPX/NPS4.")


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
