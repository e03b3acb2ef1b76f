"""One request, as its caller saw it. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that is over. `service` is "namespace/name", `at` the machine's monotonic clock when it was sent,
    `request` the id that it went under.

    `first` and `whole` are seconds after that until the first token and the last; None where it got none. `reason` is
    "" for one that was answered whole, else the gateway's reason or what happened to the connection. `tokens` that it
    got.
    """

    service: str
    at: float
    request: str = ""
    first: float | None = None
    whole: float | None = None
    reason: str = ""
    tokens: int = 0

    @property
    def answered(self) -> bool:
        """Whether all of the answer came."""
        return not self.reason
