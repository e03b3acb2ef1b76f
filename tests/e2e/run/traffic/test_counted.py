import pytest

from e2e.run.traffic.counted import counted, failures
from e2e.run.traffic.judgement import Judgement, Roles
from e2e.run.traffic.latencies import Latencies
from e2e.run.traffic.sent import Sent

ROLES = Roles("team/neighbour", "team/flooded", 4, 4, 6)
JUDGED = Judgement(
    3.0,
    5.04,
    100.0,
    2.0,
    20.0,
    30.0,
    most_flooded=4,
    most_together=5,
    kept=3.9,
    most_crowded=4,
    left_over=9,
    problems=(),
)


@pytest.fixture
def latencies() -> Latencies:
    found = Latencies()
    for sent in (
        Sent("team/a", 1.0, "1", first=0.1, whole=0.2),
        Sent("team/a", 1.0, "2", reason="CutOff"),
        Sent(ROLES.neighbour, 1.0, "3", first=0.9, whole=1.0),
        Sent(ROLES.flooded, 1.0, "4", first=0.9, whole=1.0),
        Sent(ROLES.flooded, 1.0, "5", reason="QueueFull"),
    ):
        found.begin(sent.service)
        found.end(sent)
    return found


def test_the_flood_fails_nobody_and_players_are_not_in_the_times(latencies: Latencies) -> None:
    found = counted(latencies, ROLES, JUDGED, ["one"])
    assert (found.requests, found.failed) == (3, 1)
    assert (found.first_token_p50_ms, found.first_token_p99_ms) == (100.0, 100.0)
    assert (found.flood_refused, found.neighbour_wait_p99_ms, found.neighbour_wait_bound_ms) == (9, 5.0, 100.0)
    assert found.guarantees_broken == 1
    assert failures(latencies, ROLES) == ["1 requests of team/a were not answered: CutOff"]


def test_without_a_scene_there_is_nothing_of_it(latencies: Latencies) -> None:
    found = counted(latencies, None, None, ())
    assert (found.failed, found.flood_refused, found.guarantees_broken) == (2, None, None)
