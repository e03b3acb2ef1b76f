"""What is expected of a model's next requests, learnt from those before: how long they take, how much they generate."""

from typing import Final

# Of each new observation so much: the last twenty or so count.
_SMOOTHING: Final = 0.05
# A step of the median's estimate, as a part of it: it crosses a factor of two in some twenty samples.
_MEDIAN_STEP: Final = 0.03


class Estimates:
    """Of one model. `service`: seconds that a request holds its seat. `output`: tokens that one generates.

    `first_byte`: median seconds from dispatch to the first byte. Both times are 0 until one was seen.
    """

    __slots__ = ("first_byte", "output", "service")

    def __init__(self, output: int) -> None:
        self.service = self.first_byte = 0.0
        self.output = float(output)

    def served(self, seconds: float, tokens: int | None) -> None:
        """A request held its seat so long, and generated so much; None: not known."""
        service = self.service
        self.service = service + (seconds - service) * _SMOOTHING if service > 0 else seconds
        if tokens is not None:
            self.output += (tokens - self.output) * _SMOOTHING

    def began(self, seconds: float) -> None:
        """A first byte took so long. One step towards it: where as many are longer as are shorter, it stays."""
        if self.first_byte > 0:
            self.first_byte *= 1 + _MEDIAN_STEP if seconds > self.first_byte else 1 - _MEDIAN_STEP
        else:
            self.first_byte = seconds

    def wait(self, ahead: int, seats: int) -> float:
        """Seconds until the one behind `ahead` others has a seat, where the model has `seats` of them in use."""
        return (ahead + 1) * self.service / max(1, seats)
