"""What happens while a write of the claim flow is on its way, and after one that never came back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from controller.placement.decision import Placed
from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import Conflict, Unavailable
from controller.state.kinds import GPU_PARTITION_CLAIMS
from tests.builders.demand import demand
from tests.builders.gpu import device_name
from tests.builders.pod import pod
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import NOT_ANSWERED, InMemoryApi, refusing
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.gpu_partition_claim.test_confirming import own_pod
from tests.fakes.clock import FakeClock

STATUS_WRITE = "replace gpupartitionclaims"
MOVED_ON = Conflict(409, "Conflict", "the object has been modified")


def held(api: InMemoryApi) -> list[int]:
    """The partitions of the node's one GPU that stored claims hold, an entry a claim."""
    allocations = [claim.get("status", {}).get("allocation") for claim in api.of(GPU_PARTITION_CLAIMS)]
    return [allocation["devices"][0]["partition"] for allocation in allocations if allocation]


def foreign(api: InMemoryApi, *indices: int) -> None:
    """Somebody else's ResourceClaims get these devices."""
    for index in indices:
        api.put(RESOURCE_CLAIMS, resource_claim(f"theirs-{index}", device=device_name(0, index), owner_uid=None))


async def decided(operator: Operator) -> None:
    """The claim is made and its place decided; nothing of the decision is stored."""
    operator.show()
    await operator.reconcile()
    operator.show()
    operator.cycle.decide(retry=True)


def newcomer(operator: Operator) -> int:
    """The partition that a cycle gives to a claim that comes just now."""
    operator.cycle.submit(demand("aim-z"))
    operator.cycle.decide(retry=False)
    outcome = operator.cycle.take("team-a/aim-z")
    assert outcome is not None
    assert isinstance(outcome.decision, Placed)
    return outcome.decision.partition.id.index


def newcomer_during(operator: Operator, verb: str) -> list[int]:
    """Let a newcomer be decided when the first write of that sort is on its way; the list tells where it went."""
    given: list[int] = []

    def decide(text: str) -> None:
        if text == verb and not given:
            given.append(newcomer(operator))

    operator.api.before_write = decide
    return given


def instead_of(
    monkeypatch: pytest.MonkeyPatch, api: InMemoryApi, method: str, answer: Callable[[], Awaitable[None]]
) -> None:
    """`answer` is awaited before the API server takes up each call of that method."""
    real = getattr(api, method)

    async def call(*args: Any, **fields: Any) -> Any:
        await answer()
        return await real(*args, **fields)

    monkeypatch.setattr(api, method, call)


async def no_answer() -> None:
    raise NOT_ANSWERED


async def let_others_run() -> None:
    await asyncio.sleep(0)


async def never() -> None:
    await asyncio.Event().wait()


# A new pin.


async def test_two_repairs_at_once_choose_different_partitions(
    api: InMemoryApi, operator: Operator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put(PODS, pod("model-1", claim="aim-b", annotations=SMALL))
    await operator.round("team-a/aim-a", "team-a/aim-b")
    foreign(api, 0, 1)
    clock.tick(PATIENCE_SECONDS + 1)
    operator.show()
    instead_of(monkeypatch, api, "replace", let_others_run)
    async with asyncio.TaskGroup() as group:
        for key in ("team-a/aim-a", "team-a/aim-b"):
            group.create_task(operator.reconcile(key))
    assert sorted(held(api)) == [2, 3]


@pytest.fixture
async def outbid(api: InMemoryApi, operator: Operator, clock: FakeClock) -> Operator:
    """The claim is bound to the first partition, somebody else has its device, and that has been seen."""
    await operator.round()
    foreign(api, 0)
    clock.tick(PATIENCE_SECONDS + 1)
    operator.show()
    return operator


async def test_a_cycle_leaves_alone_what_a_repair_is_about_to_store(api: InMemoryApi, outbid: Operator) -> None:
    given = newcomer_during(outbid, STATUS_WRITE)
    await outbid.reconcile()
    assert len({*given, *held(api)}) == 2


async def test_a_repair_that_is_refused_gives_its_partition_back(api: InMemoryApi, outbid: Operator) -> None:
    api.before_write = refusing(STATUS_WRITE, MOVED_ON)
    await outbid.reconcile()
    assert (held(api), len(outbid.cluster.assumptions)) == ([0], 0)
    await outbid.round()
    assert held(api) == [1]


async def test_a_repair_that_nobody_answered_keeps_its_partition(api: InMemoryApi, outbid: Operator) -> None:
    api.lost_answer = len(api.writes) + 1
    with pytest.raises(Unavailable):
        await outbid.reconcile()
    assert newcomer(outbid) not in held(api)


# The first pin.


async def test_a_decision_is_not_stored_after_its_node_went_silent(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await decided(operator)
    api.before_write = refusing(STATUS_WRITE, NOT_ANSWERED)
    with pytest.raises(Unavailable):
        await operator.reconcile()
    clock.tick(600)  # nothing was heard of the agent meanwhile
    await operator.reconcile()
    assert held(api) == []
    await operator.round()
    assert held(api) == [0]


async def test_a_status_write_cut_short_is_made_up_for(
    api: InMemoryApi, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await decided(operator)
    with monkeypatch.context() as outage:
        instead_of(outage, api, "replace", never)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await operator.reconcile()
    for _ in range(3):
        await operator.round()
    assert held(api) == [0]


async def test_a_refused_decision_that_cannot_be_looked_up_is_made_up_for(
    api: InMemoryApi, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await decided(operator)
    api.before_write = refusing(STATUS_WRITE, MOVED_ON)
    with monkeypatch.context() as outage:
        instead_of(outage, api, "get", no_answer)
        with pytest.raises(Unavailable):
            await operator.reconcile()
    for _ in range(3):
        await operator.round()
    assert held(api) == [0]


# The end.


async def test_a_released_partition_is_taken_until_its_claim_is_deleted(api: InMemoryApi, operator: Operator) -> None:
    """The stored claim holds a partition that no informer has shown: the answer to the write was lost."""
    await decided(operator)
    api.lost_answer = len(api.writes) + 1
    with pytest.raises(Unavailable):
        await operator.reconcile()
    del api.objects[PODS.plural, "team-a", "model-0"]
    operator.fed.listed(operator.cluster.pods)
    (mine,) = held(api)
    given = newcomer_during(operator, "delete gpupartitionclaims")
    await operator.reconcile()
    assert given
    assert mine not in given
    assert held(api) == []


async def test_a_repair_whose_answer_was_lost_goes_to_the_same_place_again(api: InMemoryApi, outbid: Operator) -> None:
    api.lost_answer = len(api.writes) + 1
    with pytest.raises(Unavailable):
        await outbid.reconcile()
    assert held(api) == [1]
    given = newcomer_during(outbid, STATUS_WRITE)
    await outbid.reconcile()  # before the watch has shown the first try
    assert not set(given) & set(held(api))


async def test_what_a_lost_answer_stored_is_not_given_away_after_the_conflict(
    api: InMemoryApi, outbid: Operator
) -> None:
    api.lost_answer = len(api.writes) + 1
    with pytest.raises(Unavailable):
        await outbid.reconcile()
    await outbid.reconcile()
    assert newcomer(outbid) not in held(api)


@pytest.mark.parametrize("owned", [False, True], ids=["a pod of nobody", "a pod of a controller"])
async def test_the_last_partition_of_the_node_is_not_lost_to_our_own_try(
    api: InMemoryApi, outbid: Operator, owned: bool
) -> None:
    if owned:
        own_pod(api)
    foreign(api, *range(2, 8))
    outbid.show()
    api.before_write = refusing(STATUS_WRITE, NOT_ANSWERED)
    with pytest.raises(Unavailable):
        await outbid.reconcile()
    api.before_write = lambda _: None
    for _ in range(3):
        await outbid.round()
    assert held(api) == [1]
    assert api.of(PODS)
