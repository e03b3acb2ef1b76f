"""Scripts by the thousand: drawn at random, the same for the same seed."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.fuzz.gateway.play import play

SHORTEST, LONGEST = 20, 240
"""Bytes of a script."""


@dataclass
class Tally:
    """How many scripts were played, and how often each thing happened in them."""

    scripts: int = 0
    happened: Counter[str] = field(default_factory=Counter)


def scripts(seed: int) -> Iterator[bytes]:
    """Without an end."""
    draw = random.Random(seed)
    while True:
        yield draw.randbytes(draw.randrange(SHORTEST, LONGEST))


def search(count: int, seed: int, go_on: Callable[[int], bool] = lambda _played: True) -> Tally:
    """Plays so many scripts, as long as `go_on` says so. Raises what was violated, with the script as a note."""
    tally = Tally()
    for script in scripts(seed):
        if tally.scripts >= count or not go_on(tally.scripts):
            return tally
        try:
            tally.happened += play(script)
        except BaseException as error:
            error.add_note(f"the script: bytes.fromhex({script.hex()!r})")
            raise
        tally.scripts += 1
    return tally
