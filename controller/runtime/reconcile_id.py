"""Ids that tie together all that one reconcile logs and traces."""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import TypeAlias

IdSource: TypeAlias = Callable[[], str]
"""Makes the id of the next reconcile; never the same twice."""


def uuid_source(rng: Random) -> IdSource:
    """UUIDs of version 8 (RFC 9562: contents are the maker's): 62 random bits per source, then a count in hex.

    Two sources never meet, and within one the order of ids is the order of reconciles. Formatting a count costs a
    tenth of a random UUID, which is made for every reconcile, also where nothing is logged.
    """
    head, variant = rng.getrandbits(48), 0x8000 | rng.getrandbits(14)
    prefix = f"{head >> 16:08x}-{head & 0xFFFF:04x}-8{rng.getrandbits(12):03x}-{variant:04x}-"
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers):012x}"
