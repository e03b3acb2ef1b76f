"""Names that two services of a namespace go by, and guarantees beyond what memory is reserved for."""

from typing import Any

import pytest

from controller.reconcilers.inference_service.routable import duplicate, guaranteed
from controller.translate.request import Problem
from tests.builders.inference_service import inference_service


def test_a_name_of_ones_own_needs_no_condition() -> None:
    assert duplicate("team-a/chat", []) is None


@pytest.mark.parametrize(
    ("others", "want"),
    [
        (["team-a/b"], "for b of this namespace goes by that name, too"),
        (["team-a/b", "team-a/c"], "for b, c of this namespace go by that name, too"),
        ([f"team-a/{name}" for name in "bcdef"], "for b, c, d and 2 more of this namespace go by that name, too"),
    ],
)
def test_a_name_that_others_go_by_is_told_with_what_to_write_instead(others: list[str], want: str) -> None:
    verdict = duplicate("team-a/chat", [("Qwen/Qwen3-4B", others)])
    assert verdict is not None
    assert verdict[:2] == ("False", "DuplicateModel")
    assert verdict[2] == (
        f"requests for model Qwen/Qwen3-4B are refused, {want}: ask for model team-a/chat, or have one go by it"
    )


@pytest.mark.parametrize(
    ("least", "replicas", "concurrency", "want"),
    [
        pytest.param(None, 1, 8, None, id="nothing is guaranteed"),
        pytest.param(8, 1, 8, None, id="as much as the pod serves"),
        pytest.param(16, 2, 8, None, id="as much as both serve"),
        pytest.param(9, 0, 8, None, id="there are no pods"),
        pytest.param(9, 1, None, None, id="the model cannot be sized"),
        pytest.param(9, 1, 8, "is more than the 8 requests that memory is reserved for, at its pod;", id="one more"),
        pytest.param(
            17, 2, 8, "is more than the 16 requests that memory is reserved for, 8 at each of 2 pods;", id="2"
        ),
    ],
)
def test_a_guarantee_is_within_what_memory_is_reserved_for(
    least: int | None, replicas: int, concurrency: int | None, want: str | None
) -> None:
    qos: dict[str, Any] = {"guarantees": {"minConcurrency": least}} if least is not None else {}
    verdict = guaranteed(inference_service(replicas=replicas, qos=qos), concurrency)
    assert (verdict is None) == (want is None)
    if verdict is not None and want is not None:
        assert verdict[:2] == ("False", "GuaranteeOutOfReach")
        assert want in verdict[2]


@pytest.mark.parametrize(
    ("concurrency", "want"),
    [
        pytest.param(8, ("False", "GuaranteeCapacity", "minConcurrency: '3' has no room"), id="the pod serves it"),
        pytest.param(None, ("False", "GuaranteeCapacity", "minConcurrency: '3' has no room"), id="of no known size"),
        pytest.param(2, "GuaranteeOutOfReach", id="the pod does not serve it either: that is told first"),
    ],
)
def test_what_others_leave_no_room_for_is_told(concurrency: int | None, want: Any) -> None:
    crowded = Problem("minConcurrency", "3", "has no room")
    verdict = guaranteed(inference_service(qos={"guarantees": {"minConcurrency": 3}}), concurrency, crowded)
    assert verdict is not None
    assert want in (verdict, verdict[1])
