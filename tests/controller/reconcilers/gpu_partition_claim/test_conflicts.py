from random import Random

from controller.reconcilers.gpu_partition_claim.binding import SOON_SECONDS
from controller.reconcilers.gpu_partition_claim.conflicts import LONGEST_SECONDS, Conflicts


def test_three_times_at_once_then_ever_later_and_never_longer_than_the_limit() -> None:
    conflicts = Conflicts(Random(1))
    delays = [conflicts.again_after("team-a/aim-a") for _ in range(12)]
    assert delays[:3] == [SOON_SECONDS] * 3
    assert SOON_SECONDS <= delays[3] <= 2 * SOON_SECONDS
    assert all(LONGEST_SECONDS / 2 <= delay <= LONGEST_SECONDS for delay in delays[-3:])


def test_a_step_that_went_through_ends_the_row_of_this_claim_alone() -> None:
    conflicts = Conflicts(Random(1))
    for _ in range(5):
        conflicts.again_after("team-a/aim-a")
        conflicts.again_after("team-a/aim-b")
    conflicts.over("team-a/aim-a")
    assert conflicts.again_after("team-a/aim-a") == SOON_SECONDS
    assert conflicts.again_after("team-a/aim-b") > SOON_SECONDS
