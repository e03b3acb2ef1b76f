"""When to try again to reach an engine that could not be reached. Pure.

Its seats are free, of course, so the dispatcher would send it one request after another, each to wait until a connect
has failed. So it gets none until a connection to it has been made, without a request, by whoever asks here when to try.
"""

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 5.0
"""Short: once it can be reached again, that is how long it may stand idle."""
_DOUBLINGS = 10


def seconds_until_try(failures: int, random: float) -> float:
    """How long to wait after so many failures in a row, at least 1. `random`: a number from 0 up to 1.

    Twice as long each time, up to a bound, and half of it by chance, so that not all come at once who wait for a node.
    """
    if failures < 1:
        raise ValueError(f"failures {failures}: there is nothing to wait for without one")
    seconds: float = min(FIRST_SECONDS * 2 ** min(failures - 1, _DOUBLINGS), LONGEST_SECONDS)
    return seconds * (0.5 + random / 2)
