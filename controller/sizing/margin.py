"""What is kept free for what the formulas miss, and how far a sizing may be off."""

from dataclasses import dataclass

MARGIN_PERCENT = 3
"""Kept free over everything else, for what the formulas miss: weights are within 1 to 2 % of the printed ones, the KV
cache within 1 %. It does not cover the spread between starts of one setup (up to 2.6 GiB seen on one machine with a
cold compile cache), which takes away from the cache, not from the start."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The need lies between these, in bytes; the sizing's total is at or below ``high_bytes``."""

    low_bytes: int
    high_bytes: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What a rank needs before any margin, in bytes."""

    weights_bytes: int
    kv_cache_bytes: int
    activation_bytes: int
    non_torch_bytes: int
    graph_bytes: int

    @property
    def total_bytes(self) -> int:
        """The sum."""
        return (
            self.weights_bytes + self.kv_cache_bytes + self.activation_bytes + self.non_torch_bytes + self.graph_bytes
        )


def margin_bytes(parts: Parts) -> int:
    """What to keep free over ``parts``."""
    return parts.total_bytes * MARGIN_PERCENT // 100


def uncertainty(parts: Parts) -> Uncertainty:
    """Between which bytes the need of such a start was seen to lie."""
    return Uncertainty(parts.total_bytes * 97 // 100, parts.total_bytes + margin_bytes(parts))
