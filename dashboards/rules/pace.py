"""How fast the rules' clock runs: as written, or a number of times faster for a rehearsal of hours in minutes."""

from dataclasses import dataclass

from api.seconds import format_duration


@dataclass(frozen=True, slots=True)
class Pace:
    """Durations of rules. `factor`: how many times shorter they are than in production; at least 1.

    What others measure over windows of their own stays as it is: burn rates carry theirs as a label.
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ValueError(f"factor {self.factor}: give 1, or more to have rules act sooner")

    def seconds(self, seconds: float) -> float:
        """As a number to compare ages with, to the millisecond."""
        return round(seconds / self.factor, 3)

    def number(self, seconds: float) -> str:
        """`seconds` as expressions write it."""
        return f"{self.seconds(seconds):.12g}"

    def text(self, seconds: float) -> str:
        """As a duration of Prometheus, ``1h30m``; never nothing, which a range may not be."""
        return format_duration(max(self.seconds(seconds), 0.001))


REAL = Pace()
"""As in production."""
