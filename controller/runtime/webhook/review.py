"""What reviews of all kinds have in common: a body that is none is malformed, answers go out in pieces. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

JSON = "application/json"
TEXT = "text/plain"


class MalformedReview(ValueError):
    """A body that is no review of the kind that was asked for; the text names field, value and remedy."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status, and a body whose pieces are sent one after the other.

    `failed`: the review in the body says that we could not do what was asked, which the status does not tell.
    """

    status: int
    pieces: Sequence[bytes]
    content_type: str = JSON
    failed: bool = False

    @property
    def counted_as(self) -> int:
        """The HTTP status by which metrics count it: 500 for a failure that has to be sent with a 200."""
        return 500 if self.failed else self.status

    @staticmethod
    def text(status: int, sentence: str) -> "Reply":
        """A sentence for people instead of a review."""
        return Reply(status, [f"{sentence}\n".encode()], TEXT)
