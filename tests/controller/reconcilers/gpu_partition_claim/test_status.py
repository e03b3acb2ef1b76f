from datetime import datetime, timedelta

import pytest

from api.condition import find_condition
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.placement.decision import Placed
from controller.reconcilers.gpu_partition_claim import status
from controller.state.claim_gauges import waiting_since
from tests.builders.claim import bound_claim, claim
from tests.builders.gpu import bdf, device_name
from tests.builders.node import node
from tests.fakes.clock import START

HOST = node()
PLACED = Placed.on(HOST, HOST.gpus[0], HOST.gpus[0].partitions[2])
PENDING = GPUPartitionClaim.model_validate(claim())
BOUND = status.bound(PENDING, PLACED, START)


def word(made: GPUPartitionClaim, type_: str) -> tuple[str, str] | None:
    found = find_condition(made.status.conditions, type_)
    return None if found is None else (found.status, found.reason)


def test_bound_names_the_partition_and_waits_for_the_scheduler() -> None:
    assert BOUND.status.allocation is not None
    (device,) = BOUND.status.allocation.devices
    assert (device.bdf, device.partition, device.mode) == (bdf(0), 2, "CPX/NPS4")
    assert (device.device, device.pool, device.render_index) == (device_name(0, 2), "worker-0", 130)
    assert (BOUND.status.phase, BOUND.status.bound_time, BOUND.status.rebinds) == (ClaimPhase.BOUND, START, 0)
    assert word(BOUND, "Bound") == ("True", "PartitionChosen")
    assert word(BOUND, "Allocated") == ("False", "WaitingForScheduler")
    assert BOUND.status.observed_generation == 1
    assert status.device_text(BOUND) == f"worker-0 {bdf(0)}/2 CPX/NPS4"


def test_a_rebind_is_counted_and_its_time_begins_anew() -> None:
    again = status.bound(BOUND, PLACED, START + timedelta(minutes=1), rebind=True)
    assert (again.status.rebinds, again.status.bound_time) == (1, START + timedelta(minutes=1))


def test_what_was_too_small_is_over_with_a_new_place() -> None:
    small = status.too_small(BOUND, "needs more", START)
    assert word(small, "TooSmall") == ("True", "ModelNeedsMore")
    assert word(status.bound(small, PLACED, START, rebind=True), "TooSmall") is None
    assert status.large_enough(small).status == BOUND.status
    assert status.large_enough(BOUND) is BOUND


def test_allocated_and_released_keep_where_it_was() -> None:
    allocated = status.allocated(BOUND, START)
    released = status.released(allocated, START)
    assert word(allocated, "Allocated") == ("True", "DeviceAllocated")
    assert word(released, "Allocated") == ("False", "PodEnded")
    assert [made.status.phase for made in (allocated, released)] == [ClaimPhase.ALLOCATED, ClaimPhase.RELEASED]
    assert released.status.allocation == BOUND.status.allocation


def test_waiting_gives_up_what_was_chosen() -> None:
    waiting = status.waiting(BOUND, "WaitingForGate", "waits for gates of others: x", START)
    assert (waiting.status.phase, waiting.status.allocation) == (ClaimPhase.PENDING, None)
    assert (word(waiting, "Bound"), word(waiting, "Allocated")) == (
        ("False", "WaitingForGate"),
        ("Unknown", "WaitingForGate"),
    )
    assert status.device_text(waiting) == ""
    other = status.waiting(BOUND, "NoFreePartition", "all are held", START)
    assert word(other, "Bound") == word(other, "Allocated") == ("False", "NoFreePartition")


MADE = START - timedelta(minutes=5)
JUST_MADE = PENDING.model_copy(
    update={"metadata": PENDING.metadata.model_copy(update={"creation_timestamp": MADE})}, deep=True
)


def steps(made: GPUPartitionClaim, *words: str) -> datetime | None:
    """Since when the claim waits after these steps, of which the first is at START and each other an hour later."""
    for hour, word in enumerate(words):
        now = START + timedelta(hours=hour)
        match word:
            case "bound":
                made = status.bound(made, PLACED, now)
            case "allocated":
                made = status.allocated(made, now)
            case reason:
                made = status.waiting(made, reason, "why", now)
    return waiting_since(made)


@pytest.mark.parametrize(
    ("words", "since"),
    [
        pytest.param((), MADE, id="made, and not looked at yet"),
        pytest.param(("NoFreePartition", "NoPartitionFits", "QuotaExceeded"), MADE, id="since it was made"),
        pytest.param(
            ("WaitingForGate", "WaitingForGate", "DividingFirst", "NoFreePartition"),
            START + timedelta(hours=2),
            id="since others let the pod go",
        ),
        pytest.param(
            ("WaitingForGate", "bound", "PinRefused"), START + timedelta(hours=1), id="placed as others let the pod go"
        ),
        pytest.param(("bound", "PinRefused", "bound", "PinRefused"), MADE, id="bound, and never got it"),
        pytest.param(
            ("bound", "allocated", "NodeGone", "NoFreePartition"),
            START + timedelta(hours=2),
            id="since it lost the partition that it had",
        ),
    ],
)
def test_a_claim_says_since_when_it_waits_for_us(words: tuple[str, ...], since: datetime) -> None:
    assert steps(JUST_MADE, *words) == since


def test_saying_the_same_later_changes_nothing() -> None:
    once = status.waiting(PENDING, "NoFreePartition", "all are held", START)
    assert status.waiting(once, "NoFreePartition", "all are held", START + timedelta(hours=1)) == once


@pytest.mark.parametrize("text", ["x" * 5, "x" * 5000, "é" * 3000], ids=["short", "long", "of two bytes a character"])
def test_explanations_fit_what_the_api_takes_and_4_kib(text: str) -> None:
    waiting = status.waiting(PENDING, "NoFreePartition", "a message", START, status.Detail(text))
    stored = GPUPartitionClaim.model_validate(waiting.model_dump(by_alias=True, mode="json", exclude_none=True))
    told = stored.status.explanation or ""
    assert told.removesuffix("...") == text[: len(told.removesuffix("..."))]
    assert min(len(text.encode()), 4092) <= len(told.encode()) <= 4096


def test_trouble_is_told_beside_the_rest_and_can_be_taken_back() -> None:
    stuck = status.troubled(BOUND, "Stuck", "DeviceTaken", "delete the pod", START)
    assert word(stuck, "Stuck") == ("True", "DeviceTaken")
    assert (stuck.status.phase, stuck.status.allocation) == (BOUND.status.phase, BOUND.status.allocation)
    assert word(status.without_trouble(stuck), "Stuck") is None
    mismatch = status.troubled(BOUND, "Allocated", "DeviceMismatch", "delete the pod", START)
    assert word(mismatch, "Allocated") == ("False", "DeviceMismatch")


def test_the_spec_is_never_touched() -> None:
    stored = GPUPartitionClaim.model_validate(bound_claim())
    for made in (status.waiting(stored, "R", "m", START), status.bound(stored, PLACED, START)):
        assert made.spec == stored.spec
