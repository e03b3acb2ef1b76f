"""Counts of all shards against a service's objectives, and the texts of what that comes to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.object import dump
from api.v1beta1 import InferenceService
from controller.translate.objectives import burn_text, objective_status, percent_down, percent_up, watched
from tests.builders.inference_service import inference_service
from tests.builders.request_counts import shard_counts, steadily

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = {"metric": "timeToFirstToken", "threshold": "500ms"}
WAIT = {"metric": "queueWait", "threshold": "1s"}


def service(*counts: dict[str, Any], slo: list[dict[str, Any]] | None = None) -> InferenceService:
    return inference_service(qos={"slo": [FIRST] if slo is None else slo}, status={"requestCounts": list(counts)})


def statuses(given: InferenceService) -> list[dict[str, Any]]:
    return [dump(objective_status(one)) for one in watched(given, NOW.timestamp())[0]]


def test_shards_count_together() -> None:
    given = service(
        shard_counts(NOW, [(1, 60, 0)], shard=0),
        shard_counts(NOW, [(1, 30, 1), (40, 10, 2)], shard=7),
    )
    (told,) = statuses(given)
    assert [(window["window"], window["requests"]) for window in told["windows"]] == [
        ("5m", 90), ("30m", 90), ("1h", 100), ("6h", 100), ("72h", 100), ("720h", 100),
    ]  # fmt: skip
    assert (told["attainment"], told["needed"]) == ("97", "98.01")
    assert told["budgetLeft"] == "-50.8"


def test_each_objective_has_its_own_counts_in_the_order_of_the_spec() -> None:
    given = service(
        shard_counts(NOW, [(1, 10, 10)], shard=0, metric="queueWait", threshold="1000ms"),
        shard_counts(NOW, [(1, 20, 0)], shard=1),
        slo=[FIRST, WAIT, FIRST | {"percentile": "p50", "objective": "100"}, WAIT | {"threshold": "2s"}],
    )
    told = statuses(given)
    assert [(one["metric"], one.get("attainment"), one["needed"]) for one in told] == [
        ("timeToFirstToken", "100", "98.01"),
        ("queueWait", "0", "98.01"),
        ("timeToFirstToken", "100", "50"),
        ("queueWait", None, "98.01"),
    ]


@pytest.mark.parametrize("spelled", ["500ms", "0.5s", "0s500ms"])
def test_a_threshold_is_the_same_however_it_is_spelled(spelled: str) -> None:
    given = service(shard_counts(NOW, [(1, 10, 0)]), slo=[FIRST | {"threshold": spelled}])
    assert statuses(given)[0]["attainment"] == "100"


def test_counts_of_objectives_that_are_gone_are_left_out() -> None:
    given = service(shard_counts(NOW, [(1, 10, 10)], threshold="200ms"))
    assert "attainment" not in statuses(given)[0]


def test_what_cannot_be_read_is_told_and_the_rest_counts() -> None:
    broken = {"shard": 3, "time": "2026-03-01T12:00:00Z", "objectives": [FIRST | {"counts": "60@1=2-3"}]}
    found, unreadable = watched(service(broken, shard_counts(NOW, [(1, 10, 0)])), NOW.timestamp())
    assert found[0].budget.windows[0].tally.requests == 10
    assert [(one.shard, one.problem.split(" are ")[0]) for one in unreadable] == [(3, "counts '2-3'")]


def test_without_objectives_nothing_is_read() -> None:
    assert watched(service({"shard": 0, "time": "2026-03-01T12:00:00Z"}, slo=[]), NOW.timestamp()) == ((), ())


def test_a_burn_is_told_with_its_tier() -> None:
    (told,) = statuses(service(shard_counts(NOW, steadily(0.5, 120))))
    assert told["burning"] == "14.4"
    assert told["windows"][0]["burn"] == "25.13"


def test_the_tier_of_an_objective_that_allows_much_is_told_by_its_limit() -> None:
    (told,) = statuses(service(shard_counts(NOW, steadily(1.0, 120)), slo=[FIRST | {"percentile": "p50"}]))
    assert (told["burning"], told["windows"][0]["burn"]) == ("1.49", "1.99")


@pytest.mark.parametrize(
    ("share", "down", "up"),
    [
        (1.0, "100", "100"),
        (0.999999, "99.999", "100"),
        (0.9801, "98.01", "98.01"),
        (0.0, "0", "0"),
        (2 / 3, "66.666", "66.667"),
        (0.29, "29", "29"),
    ],
)
def test_percentages_are_rounded_to_the_side_that_promises_less(share: float, down: str, up: str) -> None:
    assert (percent_down(share), percent_up(share)) == (down, up)


@pytest.mark.parametrize(
    ("burn", "want"),
    [
        (0.0, "0"),
        (0.001, "0.01"),
        (14.4, "14.4"),
        (14.4001, "14.41"),
        (1000.0, "1000"),
        (6.049, "6.05"),
        (6.041, "6.05"),
    ],
)
def test_a_burn_rate_has_two_digits_and_is_not_told_below_what_it_is(burn: float, want: str) -> None:
    assert burn_text(burn) == want
