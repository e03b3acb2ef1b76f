"""The cyclic garbage collector, kept away from big lists.

A list allocates containers that live on, so each collection that it triggers walks them and finds nothing, and a
full one holds up the event loop: 0.4 s for 10,000 pods as dicts. So it is off while a list is taken in (reference
counting goes on), and what a big first list brought is never walked again.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

BIG_LIST_OBJECTS: Final = 1000
"""From here on a first list is taken out of the collector's sight: fewer are walked in some 10 ms."""


class _Pauses:
    """How many lists are taken in now. One for the process, as the collector is."""

    running = 0
    was_enabled = False


@contextmanager
def paused() -> Iterator[None]:
    """Keep the collector off. Pauses may overlap (lists of several informers do): the last to end turns it on again.

    Young garbage goes first, so that little of it is still there when a freeze would keep it for ever.
    """
    if _Pauses.running == 0:
        _Pauses.was_enabled = gc.isenabled()
        gc.collect(1)
        gc.disable()
    _Pauses.running += 1
    try:
        yield
    finally:
        _Pauses.running -= 1
        if _Pauses.running == 0 and _Pauses.was_enabled:
            gc.enable()


def spare(objects: int) -> None:
    """Never walk again what is alive now, if a list of that many objects made it worth it.

    Such objects are still freed as soon as nobody refers to them, unless they are part of a cycle. No collection is
    made first: it would hold up the event loop for as long as this is to save.
    """
    if objects >= BIG_LIST_OBJECTS:
        gc.freeze()
