"""Why a claim waits and what would place it, as data and as text of at most 4 KiB.

Anybody who may read the claim reads this, so pods and claims of others are counted and never named; nodes, GPUs and
the policies that rule them are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.placement.decision import Placed, Refusal, Unplaced
from controller.placement.demand import Demand
from controller.placement.locality import tier_of, tier_text
from controller.placement.nearest import Offer
from controller.placement.size_text import gib
from controller.placement.snapshot import Gpu

#: Longest explanation that the API takes, bytes of UTF-8.
MOST_BYTES: Final = 4096
#: Reasons and ways that are told at most.
MOST_REASONS: Final = 12
MOST_OFFERS: Final = 4
#: Characters of an example at most: a label that a user wrote can be long.
MOST_EXAMPLE: Final = 240
_CUT: Final = "..."


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a demand without a place: the refusal, and what would help, the nearest first.

    `notes` are sentences of what is done about it, or why nothing is. `searched`: whether changes were looked for.
    """

    demand: Demand
    unplaced: Unplaced
    offers: tuple[Offer, ...] = ()
    notes: tuple[str, ...] = ()
    searched: bool = True

    @property
    def nearest(self) -> Offer | None:
        """The cheapest change that would give the demand its place; None when no single one would."""
        return self.offers[0] if self.offers else None

    def text(self) -> str:
        """The explanation for people, a fact a line, no more than `MOST_BYTES` bytes."""
        return within_bytes("\n".join(self.lines()), MOST_BYTES)

    def lines(self) -> list[str]:
        """The facts in order of use: what would help stands before the details, should the end be cut."""
        return [*self._what(), *self._nearest(), *self.notes, *self._others(), *self._refusals()]

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        asked = self.demand.requirement
        return {
            "reason": self.unplaced.reason,
            "message": self.unplaced.message,
            "asked": {"bytes": asked.bytes, "count": asked.count, "modes": sorted(map(str, asked.modes))},
            "refusals": [
                {"reason": row.reason, "count": row.count, "example": row.example} for row in self.unplaced.refusals
            ],
            "changes": [offer_document(offer) for offer in self.offers],
            "notes": list(self.notes),
        }

    def _what(self) -> list[str]:
        unplaced, asked = self.unplaced, self.demand.requirement
        if not unplaced.refusals:
            return [f"{unplaced.reason}: {unplaced.message}"]
        if unplaced.reason not in _COUNTED:
            return [f"{unplaced.reason}: {unplaced.message}"]
        total = sum(row.count for row in unplaced.refusals)
        many = f"{asked.count} partitions of " if asked.count > 1 else ""
        return [f"{unplaced.reason}: none of {total} partitions takes {many}{gib(asked.bytes)}"]

    def _nearest(self) -> list[str]:
        if self.nearest is not None:
            return [f"Nearest change: {sentence(self.nearest)}"]
        return ["Nearest change: none; no single change would place it"] if self.searched else []

    def _others(self) -> list[str]:
        rest = self.offers[1:MOST_OFFERS]
        return ["Also possible:", *(f"- {sentence(offer)}" for offer in rest)] if rest else []

    def _refusals(self) -> list[str]:
        rows = self.unplaced.refusals[:MOST_REASONS]
        return ["Refused:", *map(self._refusal, rows)] if rows else []

    def _refusal(self, row: Refusal) -> str:
        """A row; an example that the first line tells already is not told again."""
        told = row.example == self.unplaced.message
        return f"- {row.count} {row.reason}" + ("" if told else f", e.g. {_short(row.example)}")


_COUNTED: Final = frozenset({"NoFreePartition", "NoPartitionFits"})
"""Reasons whose message repeats the refusals."""


def sentence(offer: Offer) -> str:
    """A change in words, who can make it, and where the pod would go by it."""
    return f"{_short(offer.change.text)} ({offer.change.actor}); it would go to {place_text(offer.choice.placed)}"


def place_text(placed: Placed) -> str:
    """A place in words."""
    named = ", ".join(f"{device.gpu.bdf}/{device.partition.id.index}" for device in placed.devices[:4])
    more = f" and {len(placed.devices) - 4} more" if len(placed.devices) > 4 else ""
    together = tier_text([device.gpu for device in placed.devices])
    how = ", ".join(filter(None, (str(placed.mode), gib(placed.partition.bytes), together)))
    return f"{placed.node.name} {named}{more} ({how})"


def offer_document(offer: Offer) -> dict[str, Any]:
    """A change and its place for programs."""
    change, placed = offer.change, offer.choice.placed
    return {
        "kind": change.kind.value,
        "target": change.target,
        "text": change.text,
        "actor": change.actor.value,
        "permitted": change.permitted,
        "count": change.count,
        "rank": change.cost.rank,
        "place": place_document(placed),
    }


def between(gpus: Sequence[Gpu]) -> str | None:
    """What lies between several partitions, for programs: gpu, xgmi or pcie; None for one. `gpus`: one a partition."""
    return tier_of(gpus).word if len(gpus) > 1 else None


def place_document(placed: Placed) -> dict[str, Any]:
    """A place for programs. `locality`: what lies between several partitions, pcie also where that is not known."""
    return {
        "node": placed.node.name,
        "mode": str(placed.mode),
        "devices": [
            {"bdf": each.gpu.bdf, "partition": each.partition.id.index, "bytes": each.partition.bytes}
            for each in placed.devices
        ],
        "locality": between([each.gpu for each in placed.devices]),
    }


def _short(text: str) -> str:
    """The text, cut after a whole word if it is long; a word that is itself too long is cut, too."""
    if len(text) <= MOST_EXAMPLE:
        return text
    within = text[: MOST_EXAMPLE - len(_CUT) + 1]
    return (within.rpartition(" ")[0] or within[:-1]).rstrip(",;:") + _CUT


def within_bytes(text: str, most: int) -> str:
    """The text, cut so that it takes no more than `most` bytes of UTF-8 and no character is halved."""
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    return encoded[: most - len(_CUT)].decode(errors="ignore") + _CUT
