"""Where one shard stands at one replica, as a table. Pure: `keeper.py` does what it asks for.

    Away      --wanted--> Claiming (claim)
    Claiming  --leased--> Holding (open)            Claiming  --unwanted--> Releasing (give back)
    Claiming  --ended-->  Claiming (claim)          Holding   --unwanted--> Releasing (give back)
    Holding   --ended-->  Claiming (claim)          Releasing --wanted--> Returning
    Releasing --ended-->  Away                      Returning --unwanted--> Releasing
    Returning --ended-->  Claiming (claim)

A shard is dispatched in Holding alone, and there only while its lease is valid by the clock: what happens when that
runs out needs no event. A claim that is given up may have got the lease without our knowing, so it too is given back.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Stand(StrEnum):
    """Where a shard stands."""

    AWAY = "Away"
    CLAIMING = "Claiming"
    HOLDING = "Holding"
    RELEASING = "Releasing"
    RETURNING = "Returning"


class Event(StrEnum):
    """What happened. ENDED: the candidacy is over, whether the lease was lost, given back or never got."""

    WANTED = "wanted"
    UNWANTED = "unwanted"
    LEASED = "leased"
    ENDED = "ended"


class Act(StrEnum):
    """What to do about it."""

    NOTHING = "nothing"
    CLAIM = "claim"
    OPEN = "open"
    GIVE_BACK = "give back"


class UnexpectedEvent(RuntimeError):
    """An event that the stand does not know: the shell has a bug."""


@dataclass(frozen=True, slots=True)
class Move:
    """The stand after an event, and what to do."""

    stand: Stand
    act: Act = Act.NOTHING


MOVES: Final[dict[tuple[Stand, Event], Move]] = {
    (Stand.AWAY, Event.WANTED): Move(Stand.CLAIMING, Act.CLAIM),
    (Stand.AWAY, Event.UNWANTED): Move(Stand.AWAY),
    (Stand.CLAIMING, Event.WANTED): Move(Stand.CLAIMING),
    (Stand.CLAIMING, Event.UNWANTED): Move(Stand.RELEASING, Act.GIVE_BACK),
    (Stand.CLAIMING, Event.LEASED): Move(Stand.HOLDING, Act.OPEN),
    (Stand.CLAIMING, Event.ENDED): Move(Stand.CLAIMING, Act.CLAIM),
    (Stand.HOLDING, Event.WANTED): Move(Stand.HOLDING),
    (Stand.HOLDING, Event.UNWANTED): Move(Stand.RELEASING, Act.GIVE_BACK),
    (Stand.HOLDING, Event.ENDED): Move(Stand.CLAIMING, Act.CLAIM),
    (Stand.RELEASING, Event.WANTED): Move(Stand.RETURNING),
    (Stand.RELEASING, Event.UNWANTED): Move(Stand.RELEASING),
    (Stand.RELEASING, Event.LEASED): Move(Stand.RELEASING),  # told while it was being given up
    (Stand.RELEASING, Event.ENDED): Move(Stand.AWAY),
    (Stand.RETURNING, Event.WANTED): Move(Stand.RETURNING),
    (Stand.RETURNING, Event.UNWANTED): Move(Stand.RELEASING),
    (Stand.RETURNING, Event.LEASED): Move(Stand.RETURNING),
    (Stand.RETURNING, Event.ENDED): Move(Stand.CLAIMING, Act.CLAIM),
}


def move(stand: Stand, event: Event) -> Move:
    """What `event` makes of a shard at `stand`. Raises UnexpectedEvent."""
    try:
        return MOVES[stand, event]
    except KeyError:
        raise UnexpectedEvent(f"event {event} of a shard that is {stand}") from None
