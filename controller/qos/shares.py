"""Whole seats divided in proportion: by largest remainder, so that what is given is exactly what there was."""

from collections.abc import Sequence


def divided(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` over the `weights`, a whole number each, that sum up to it; zeros when no weight is above 0.

    Each gets what its proportion is, rounded down, and the largest remainders one more; of equal ones the first. The
    same numbers give the same division, wherever it is made.
    """
    total = sum(weights)
    if total <= 0 or amount <= 0:
        return [0] * len(weights)
    given = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(amount * weights[at] % total), at))
    for at in by_remainder[: amount - sum(given)]:
        given[at] += 1
    return given


def scaled_down(wanted: Sequence[int], available: int) -> list[int]:
    """What everybody gets of what they want when there is less: all of it while it fits, else in proportion."""
    return list(wanted) if sum(wanted) <= available else divided(available, wanted)
