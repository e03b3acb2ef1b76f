"""However models come and go, proposals are few and far between, and each was there for as long as it had to be."""

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.controller.reconcilers.defragmentation.test_controller import World

MINUTES = 60
PLACES = {"a": (0, 0), "b": (0, 1), "c": (1, 0)}


@st.composite
def serving(draw: st.DrawFn) -> list[frozenset[str]]:
    """Which of the three pods serve, minute by minute: each change lasts for a while."""
    found: list[frozenset[str]] = []
    while len(found) < MINUTES:
        found += [draw(st.sampled_from([*map(frozenset, ("abc", "ac", "ab", "c"))]))] * draw(st.integers(1, 12))
    return found[:MINUTES]


async def proposals(minutes: list[frozenset[str]], ends_at_once: bool) -> list[int]:
    """The minutes in which a plan was proposed; `ends_at_once`: a person says no before the next look."""
    world = World(after="5m", rest="20m")
    found: list[int] = []
    for minute, names in enumerate(minutes):
        for name in PLACES:
            world.serves(name, *PLACES[name]) if name in names else world.leaves(name)
        before = len(world.plans())
        await world.look(60)
        if len(world.plans()) > before:
            found.append(minute)
            world.becomes("Failed" if ends_at_once else "AwaitingApproval")
    return found


@settings(max_examples=8, deadline=None)
@given(serving(), st.booleans())
def test_proposals_rest_in_between_and_are_bounded(minutes: list[frozenset[str]], ends_at_once: bool) -> None:
    times = asyncio.run(proposals(minutes, ends_at_once))
    assert all(later - earlier >= 20 for earlier, later in pairwise(times))
    assert len(times) <= (1 + MINUTES // 20 if ends_at_once else 1)


@settings(max_examples=8, deadline=None)
@given(serving())
def test_a_plan_was_worth_while_at_every_look_of_the_time_before(minutes: list[frozenset[str]]) -> None:
    for minute in asyncio.run(proposals(minutes, ends_at_once=True)):
        assert all({"c"} < names for names in minutes[minute - 5 : minute + 1])
