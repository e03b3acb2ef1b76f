"""The reverse of a sizing: the most requests, or the longest ones, that a partition of given bytes holds.

Needs grow with concurrency and with length, so both are found by halving; there is no second set of formulas that
could disagree with the first.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.sizing.estimate import MAX_CONCURRENCY, MAX_MODEL_LEN, Sizing, SizingRequest, estimate_model_size
from controller.sizing.facts import ModelFacts
from controller.sizing.fit import NO_HEADROOM, Headroom


@dataclass(frozen=True, slots=True)
class PartitionCheck:
    """Whether a sizing fits a partition. ``headroom_bytes`` is what is left over, negative by what is missing.

    The two largest values hold with the rest of the request as it is; 0 when not even 1 fits.
    """

    sizing: Sizing
    partition_bytes: int
    reserved_bytes: int
    largest_concurrency: int
    largest_model_len: int

    @property
    def headroom_bytes(self) -> int:
        """What the need and the reserve leave of the partition."""
        return self.partition_bytes - self.reserved_bytes - self.sizing.total_bytes

    @property
    def fits(self) -> bool:
        """Whether it fits."""
        return self.headroom_bytes >= 0


def check_partition(
    facts: ModelFacts, request: SizingRequest, partition_bytes: int, headroom: Headroom = NO_HEADROOM
) -> PartitionCheck:
    """Whether one rank of ``request`` fits, and what would. Raises what ``estimate_model_size`` raises."""
    reserved = headroom.of(partition_bytes)
    return PartitionCheck(
        sizing=estimate_model_size(facts, request),
        partition_bytes=partition_bytes,
        reserved_bytes=reserved,
        largest_concurrency=largest_concurrency(facts, request, partition_bytes - reserved),
        largest_model_len=largest_model_len(facts, request, partition_bytes - reserved),
    )


def largest_concurrency(facts: ModelFacts, request: SizingRequest, partition_bytes: int) -> int:
    """The most requests of the request's length that fit on each rank; 0 when not one does."""
    return _largest(
        MAX_CONCURRENCY, lambda number: _fits(facts, replace(request, max_concurrency=number), partition_bytes)
    )


def largest_model_len(facts: ModelFacts, request: SizingRequest, partition_bytes: int) -> int:
    """The longest requests of which the request's number fits, at most the model's own limit; 0 when none does."""
    limit = facts.shape.max_position_embeddings or MAX_MODEL_LEN
    return _largest(limit, lambda length: _fits(facts, replace(request, max_model_len=length), partition_bytes))


def _fits(facts: ModelFacts, request: SizingRequest, partition_bytes: int) -> bool:
    return estimate_model_size(facts, request).total_bytes <= partition_bytes


def _largest(limit: int, holds: Callable[[int], bool]) -> int:
    """The largest number from 1 to ``limit`` that holds, when all below one that holds do so as well; else 0."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low
