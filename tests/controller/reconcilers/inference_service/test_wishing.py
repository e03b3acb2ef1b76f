"""When larger partitions are wished for, how much larger, and when that is over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.inference_service import ResizeRequest
from controller.placement.snapshot import Gpu
from controller.reconcilers.inference_service.objectives import levels_of
from controller.reconcilers.inference_service.wishing import REASON, Held, Partitions, wish
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB, gpu
from tests.builders.inference_service import inference_service
from tests.builders.request_counts import shard_counts, steadily

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EIGHTH = Held(38, 24 * GIB)
SERVING: dict[str, Any] = {"readyReplicas": 1, "applied": {"hash": "a", "generation": 2}}
OURS = {"reason": REASON, "wantComputeUnits": 76, "since": "2026-03-01T09:00:00Z", "observedBurn": "15"}

Spans = list[tuple[float, int, int]]
BURNS, KEPT = steadily(0.5, 120), steadily(0.0, 120)


def service(
    spans: Spans, *, wished: dict[str, Any] | None = None, now: datetime = NOW, **status: Any
) -> InferenceService:
    given = SERVING | {"requestCounts": [shard_counts(now, spans)]} | status
    if wished is not None:
        given["resizeRequest"] = wished
    return inference_service(qos={"slo": [{"metric": "timeToFirstToken", "threshold": "500ms"}]}, status=given)


def ladder(units: int) -> int | None:
    return {38: 76, 76: 152, 152: 304}.get(units)


def wished(given: InferenceService, held: Held | None = EIGHTH, now: datetime = NOW) -> ResizeRequest | None:
    return wish(given, levels_of(given, now.timestamp()), held, ladder, now)


def test_a_burn_wishes_for_the_next_larger_partition() -> None:
    found = wished(service(BURNS))
    assert found == ResizeRequest(reason=REASON, want_compute_units=76, since=NOW, observed_burn="25.13")


@pytest.mark.parametrize(
    ("given", "held"),
    [
        pytest.param(service(KEPT), EIGHTH, id="the objective is kept"),
        pytest.param(service([(1, 5, 5)]), EIGHTH, id="too few requests to tell"),
        pytest.param(service(BURNS, readyReplicas=0), EIGHTH, id="no pod serves"),
        pytest.param(
            service(BURNS, applied={"hash": "a", "generation": 2, "strategy": "Surge"}), EIGHTH, id="pods are moving"
        ),
        pytest.param(service(BURNS), None, id="no pod has a partition"),
        pytest.param(service(BURNS), Held(304, 192 * GIB), id="nothing is larger"),
    ],
)
def test_otherwise_nothing_is_wished(given: InferenceService, held: Held | None) -> None:
    assert wished(given, held) is None


def test_of_a_product_that_nobody_knows_more_memory_is_wished_for() -> None:
    found = wished(service(BURNS), Held(None, 24 * GIB))
    assert found is not None
    assert (found.want_compute_units, found.want_memory) == (None, "24640Mi")


def test_a_wish_stands_with_the_burn_of_now_while_it_burns() -> None:
    found = wished(service(BURNS, wished=OURS))
    assert found == ResizeRequest.model_validate(OURS | {"observedBurn": "25.13"})


def test_a_wish_that_pods_are_moving_for_stays_as_it_is() -> None:
    given = service(BURNS, wished=OURS, applied={"hash": "a", "generation": 2, "strategy": "Surge"})
    assert wished(given) == ResizeRequest.model_validate(OURS)


def test_it_stays_until_nothing_has_burned_for_hours() -> None:
    after = [NOW + timedelta(hours=hours) for hours in (1, 4, 7)]
    quiet = service(steadily(0.5, 60), wished=OURS)
    served = [[*steadily(0.0, 60 * hours), *steadily(0.5, 60 * hours + 60, until=60 * hours)] for hours in (1, 4, 7)]
    busy = [service(spans, wished=OURS, now=now) for spans, now in zip(served, after, strict=True)]
    assert [wished(quiet, now=now) is not None for now in after] == [True, True, False]
    assert [wished(given, now=now) is not None for given, now in zip(busy, after, strict=True)] == [True, True, False]


def test_a_burn_below_what_is_allowed_ends_no_wish_before_it_is_half_of_that() -> None:
    shares: list[Spans] = [[(minute, 1000, slow) for minute in range(200)] for slow in (15, 4)]
    assert [wished(service(spans, wished=OURS)) is None for spans in shares] == [False, True]


def test_it_ends_with_its_objectives() -> None:
    given = service(BURNS, wished=OURS)
    without = given.model_copy(update={"spec": inference_service().spec})
    assert wished(without) is None


def test_a_wish_of_somebody_else_is_left_alone() -> None:
    theirs = {"reason": "BurnRateHigh", "wantMemory": "80Gi"}
    for spans in (BURNS, KEPT):
        assert wished(service(spans, wished=theirs)) == ResizeRequest.model_validate(theirs)


@pytest.mark.parametrize(
    ("ago", "held", "want"),
    [
        pytest.param(timedelta(minutes=30), Held(76, 48 * GIB), 76, id="not long enough ago to tell"),
        pytest.param(timedelta(minutes=70), Held(76, 48 * GIB), 152, id="an hour ago, in vain"),
        pytest.param(timedelta(minutes=70), EIGHTH, 76, id="it was not followed"),
        pytest.param(timedelta(minutes=70), Held(304, 192 * GIB), 76, id="nothing is larger"),
    ],
)
def test_what_was_followed_in_vain_is_raised(ago: timedelta, held: Held, want: int) -> None:
    resized = {"minMemory": "40Gi", "hash": "a", "time": (NOW - ago).isoformat()}
    given = service(BURNS, wished=OURS, applied={"hash": "a", "generation": 2, "resize": resized})
    found = wished(given, held)
    assert found is not None
    assert found.want_compute_units == want
    assert (found.since == NOW) == (want == 152)


def claims(*places: tuple[int, int, Gpu]) -> list[GPUPartitionClaim]:
    return [
        GPUPartitionClaim.model_validate(
            claim(
                f"aim-{number}{index}",
                status={"phase": "Allocated", "allocation": allocation("worker-0", number, index, of=of)},
            )
        )
        for number, index, of in places
    ]


def test_the_smallest_partition_of_the_pods_counts() -> None:
    fed, eighth, half = FedCluster(), gpu(0, "CPX/NPS1"), gpu(1, "DPX/NPS1")
    fed.add_node("worker-0", eighth, half)
    partitions = Partitions(fed.cluster)
    assert partitions.held(claims((0, 0, eighth), (1, 0, half))) == Held(38, eighth.partitions[0].bytes)
    assert partitions.held(claims((1, 1, half))) == Held(152, half.partitions[0].bytes)
    assert partitions.held([]) is None
    assert [partitions.larger(units) for units in (38, 76, 152, 304)] == [76, 152, 304, None]


def test_units_are_not_known_of_a_node_that_has_not_reported() -> None:
    eighth = gpu(0, "CPX/NPS1")
    held = Partitions(FedCluster().cluster).held(claims((0, 0, eighth)))
    assert held == Held(None, eighth.partitions[0].bytes)
