from datetime import UTC, datetime

from controller.reconcilers.kserve_service.mirrored import mirrored
from controller.reconcilers.kserve_service.verdict import Verdict
from tests.builders.kserve_service import OF_KSERVE, condition

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAITS = Verdict("False", "NoFreePartition", "0 of 1 pods hold a partition")
HOLDS = Verdict("True", "PartitionsAllocated", "1 of 1 pods hold a partition")
OURS = {
    "type": "GPUPartitionAllocated",
    "status": "False",
    "severity": "Info",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "reason": "NoFreePartition",
    "message": "0 of 1 pods hold a partition",
}


def test_ours_comes_last_and_the_others_stay_as_they_are() -> None:
    assert mirrored(list(OF_KSERVE), WAITS, NOW) == [*OF_KSERVE, OURS]


def test_nothing_new_is_the_same_list() -> None:
    conditions = [OURS, *OF_KSERVE]
    assert mirrored(conditions, WAITS, datetime(2027, 1, 1, tzinfo=UTC)) is conditions


def test_one_that_flips_is_dated_anew_at_its_place() -> None:
    later = datetime(2026, 1, 2, tzinfo=UTC)
    after = mirrored([OURS, *OF_KSERVE], HOLDS, later)
    assert (after[0]["status"], after[0]["severity"], after[0]["lastTransitionTime"]) == (
        "True",
        "Info",
        "2026-01-02T00:00:00Z",
    )
    assert after[1:] == list(OF_KSERVE)


def test_a_severity_that_somebody_took_away_is_put_back() -> None:
    bare = {key: value for key, value in OURS.items() if key != "severity"}
    assert mirrored([bare], WAITS, NOW) == [OURS]


def test_ours_goes_and_nothing_else_does() -> None:
    assert mirrored([condition("Ready"), OURS], None, NOW) == [condition("Ready")]
    without = [condition("Ready")]
    assert mirrored(without, None, NOW) is without
