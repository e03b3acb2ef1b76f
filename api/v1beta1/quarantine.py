"""Partitions that are taken out of use until a person takes them back, and what an entry means after a mode change."""

from collections.abc import Collection, Iterable

from pydantic import Field

from api.formats import BdfText, LongText, ReportedMode, Timestamp
from api.object import ApiModel


class Quarantine(ApiModel):
    """A partition that gets no claims, however healthy it looks now; in any other mode its whole GPU gets none."""

    bdf: BdfText = Field(description="PCI address of its GPU, dddd:bb:dd.0.")
    partition: int = Field(ge=0, le=63, description="Number of the partition within its GPU, from 0.")
    mode: ReportedMode | None = Field(
        default=None,
        description="The GPU's mode when it was taken out. In another mode nobody knows which partitions have what "
        "broke: the whole GPU gets no claims. Absent: it counts for the partition of that number, whatever the mode, "
        "and for the whole GPU where there is none.",
    )
    reason: LongText = Field(default="", description="Why it was taken out, for people.")
    since: Timestamp | None = Field(default=None, description="When it was taken out.")


def taken_out(entries: Iterable[Quarantine], bdf: str, mode: str | None, partitions: Collection[int]) -> frozenset[int]:
    """The numbers among `partitions`, those that the GPU has in its present `mode`, that get no claims."""
    here = [entry for entry in entries if entry.bdf == bdf]
    if any(entry.partition not in partitions or entry.mode not in (None, mode) for entry in here):
        return frozenset(partitions)
    return frozenset(entry.partition for entry in here)
