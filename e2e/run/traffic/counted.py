"""What a run says of its requests when it ends. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from e2e.run.traffic.judgement import Judgement, Roles
from e2e.run.traffic.latencies import Latencies, milliseconds


@dataclass(frozen=True, slots=True)
class Counted:
    """`requests` were answered, `failed` were not, the flood's own left out. Times of the first token are of the
    services that are asked steadily, in milliseconds.

    The rest is None where no scene was played. Of the last one: requests of the flood that were refused, how long the
    neighbour's waited until an engine began (p99) and how long they might. Of all: guarantees that did not hold.
    """

    requests: int
    failed: int
    first_token_p50_ms: float | None
    first_token_p99_ms: float | None
    flood_refused: int | None
    neighbour_wait_p99_ms: float | None
    neighbour_wait_bound_ms: float | None
    guarantees_broken: int | None


def counted(latencies: Latencies, roles: Roles | None, judgement: Judgement | None, problems: Sequence[str]) -> Counted:
    """Count what there was."""
    players = () if roles is None else (roles.neighbour, roles.flooded)
    first = latencies.first_seconds(leave_out=players)
    return Counted(
        requests=sum(latencies.answered.values()),
        failed=sum(_failed(latencies, roles).values()),
        first_token_p50_ms=milliseconds(first, 50),
        first_token_p99_ms=milliseconds(first, 99),
        flood_refused=None if judgement is None else judgement.left_over,
        neighbour_wait_p99_ms=None if judgement is None else round(judgement.wait_p99_ms, 1),
        neighbour_wait_bound_ms=None if judgement is None else round(judgement.wait_bound_ms, 1),
        guarantees_broken=None if judgement is None else len(problems),
    )


def failures(latencies: Latencies, roles: Roles | None) -> list[str]:
    """A sentence for each service whose requests were not all answered, by reason: nothing overloads it."""
    return [
        f"{count} requests of {service} were not answered: {reason}"
        for (service, reason), count in sorted(_failed(latencies, roles).items())
    ]


def _failed(latencies: Latencies, roles: Roles | None) -> dict[tuple[str, str], int]:
    flooded = None if roles is None else roles.flooded
    return {key: count for key, count in latencies.refused.items() if key[0] != flooded}
