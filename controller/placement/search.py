"""Where a scheduler looks for places: the nodes of a cluster's snapshot, or the hosts of a simulation's table.

Each knows what is best on every one of its nodes, by the policy's scorer, and keeps that as nodes change; how they do
it differs, for a cluster has ten thousand nodes of which one changes, and a simulation a million decisions to make.
Which of the places is taken is decided for both by `ModelScheduler.choose`.
"""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

AskedT = TypeVar("AskedT", contravariant=True)


class Candidate(Protocol):
    """A place that would do."""

    @property
    def order(self) -> tuple[Any, ...]:
        """The lower the better; no two candidates of one search have the same."""
        ...


CandidateT = TypeVar("CandidateT", bound=Candidate, covariant=True)


class Search(Protocol[AskedT, CandidateT]):
    """Something that can be asked for places."""

    def candidates(self, asked: AskedT) -> Iterable[CandidateT]:
        """Places of which one is the best there is; none when there is none."""
        ...
