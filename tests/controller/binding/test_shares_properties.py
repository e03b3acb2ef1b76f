"""Whatever the order in which members come and go, no byte and no compute unit is given twice."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from controller.binding.isolation import ResourceIsolator
from controller.binding.shares import Share, Whole, left, take

WHOLES = st.builds(Whole, st.integers(1 << 20, 1 << 38), st.integers(0, 320))
STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 31), st.floats(0.001, 0.7)), max_size=40)


def history(whole: Whole, steps: list[tuple[bool, int, float]]) -> list[list[Share]]:
    """The shares after each join or leave."""
    shares: list[Share] = []
    states = []
    for number, (leaves, which, part) in enumerate(steps):
        if leaves and shares:
            shares = [share for place, share in enumerate(shares) if place != which % len(shares)]
        else:
            new = take(whole, shares, str(number), max(1, int(whole.bytes * part)))
            shares = shares if new is None else [*shares, new]
        states.append(shares)
    return states


@given(WHOLES, STEPS)
def test_memory_and_units_are_never_given_twice(whole: Whole, steps: list[tuple[bool, int, float]]) -> None:
    for shares in history(whole, steps):
        units = [unit for share in shares for first, last in share.units for unit in range(first, last + 1)]
        assert sum(share.bytes for share in shares) <= whole.bytes
        assert len(units) == len(set(units))
        assert set(units) <= set(range(whole.compute_units))
        assert all(bool(share.units) == bool(whole.compute_units) for share in shares)


@given(WHOLES, STEPS)
def test_shares_never_change_while_others_come_and_go(whole: Whole, steps: list[tuple[bool, int, float]]) -> None:
    states = history(whole, steps)
    for before, after in pairwise(states):
        kept = {share.member: share for share in before}
        assert all(kept.get(share.member, share) == share for share in after)


@given(WHOLES, STEPS)
def test_told_fractions_are_never_more_than_the_partition(whole: Whole, steps: list[tuple[bool, int, float]]) -> None:
    for shares in history(whole, steps):
        told = [ResourceIsolator().settings(whole, share).memory_fraction for share in shares]
        assert sum(int(fraction.replace(".", "")) for fraction in told) <= 10_000


@given(WHOLES, STEPS)
def test_a_member_is_refused_only_where_too_little_is_left(whole: Whole, steps: list[tuple[bool, int, float]]) -> None:
    for shares in history(whole, steps):
        rest = left(whole, shares)
        fits = rest.bytes > 0 and rest.units != 0
        assert (take(whole, shares, "next", rest.bytes) is not None) is fits
