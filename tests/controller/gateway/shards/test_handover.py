from itertools import product

import pytest
from hypothesis import given
from hypothesis.strategies import lists, sampled_from

from controller.gateway.shards.handover import MOVES, Act, Event, Stand, UnexpectedEvent, move

# What can happen at each stand: nobody tells of a lease where no candidacy runs.
IMPOSSIBLE = {
    (Stand.AWAY, Event.LEASED),
    (Stand.AWAY, Event.ENDED),
    (Stand.HOLDING, Event.LEASED),  # told once a candidacy
}


def test_every_stand_knows_every_event_that_can_happen() -> None:
    assert set(product(Stand, Event)) - set(MOVES) == IMPOSSIBLE


@pytest.mark.parametrize(("stand", "event"), sorted(IMPOSSIBLE))
def test_what_cannot_happen_is_named(stand: Stand, event: Event) -> None:
    with pytest.raises(UnexpectedEvent, match=f"{event} of a shard that is {stand}"):
        move(stand, event)


@given(lists(sampled_from([Event.WANTED, Event.UNWANTED, Event.LEASED, Event.ENDED]), max_size=40))
def test_one_candidacy_at_a_time_and_open_only_with_a_lease(events: list[Event]) -> None:
    stand, running, leased = Stand.AWAY, False, False
    for event in events:
        if (event is Event.ENDED and not running) or (event is Event.LEASED and (leased or not running)):
            continue
        after = move(stand, event)
        leased = (leased or event is Event.LEASED) and event is not Event.ENDED
        running = running and event is not Event.ENDED
        if after.act is Act.CLAIM:
            assert not running
            running = True
        assert after.act is not Act.OPEN or leased
        assert after.stand is not Stand.HOLDING or leased
        assert (after.stand is Stand.AWAY) == (not running)
        stand = after.stand


@given(sampled_from(list(Stand)))
def test_from_anywhere_what_is_wanted_is_held_in_the_end(stand: Stand) -> None:
    stand = move(stand, Event.WANTED).stand
    for event in (Event.ENDED, Event.LEASED):
        if stand is not Stand.HOLDING and (stand, event) not in IMPOSSIBLE:
            stand = move(stand, event).stand
    assert stand is Stand.HOLDING
