"""How long an engine that cannot be reached is not asked again. Pure.

Its seats are free, of course, so the dispatcher would send it one request after another, each to wait until a connect
has failed. Meanwhile each fails at once, and goes to another engine. The time doubles with each failure in a row.
"""

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 5.0
"""Short: once it can be reached again, that is how long it may stand idle. A node that is gone takes until a connect's
limit to fail, once in that time."""


class Outage:
    """Failures to connect to one engine in a row. `random`: a number from 0 up to 1."""

    __slots__ = ("_failures", "_until")

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def failed(self, now: float, random: float) -> None:
        """A connect has failed."""
        seconds = min(FIRST_SECONDS * 2**self._failures, LONGEST_SECONDS)
        self._failures = min(self._failures + 1, 10)
        self._until = now + seconds * (0.5 + random / 2)

    def over(self) -> None:
        """A connect has succeeded, or the engine is another one."""
        self._failures = 0
        self._until = 0.0

    def lasts(self, now: float) -> bool:
        """Whether to ask it nothing yet."""
        return now < self._until
