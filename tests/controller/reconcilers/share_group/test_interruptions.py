"""The operator is killed before or after any of its writes, and another life of it brings the group to the same end."""

import pytest

from controller.reconcilers.share_group.founding import GATHER_SECONDS
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import Unavailable
from controller.state.kinds import GPU_PARTITION_CLAIMS
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.share_group.group import (
    KEY,
    allocate,
    member,
    open_pods,
    remove,
    rounds,
    shares,
    the_claim,
)
from tests.fakes.clock import FakeClock

FOUNDING_WRITES = 8
"""Claim, place, ResourceClaim, a gate, shares of the others, their gates, the scheduler's word (which comes later)."""


class Killed(BaseException):
    """The process ends here."""


async def to_the_end(operator: Operator, clock: FakeClock) -> None:
    """Until the operator has nothing to do."""
    await rounds(operator, 1)
    clock.tick(GATHER_SECONDS)
    await rounds(operator, 8)


async def lives(api: InMemoryApi, clock: FakeClock) -> None:
    """Another life of the operator, until it has nothing to do."""
    await to_the_end(Operator(api, clock), clock)


@pytest.mark.parametrize("number", range(1, FOUNDING_WRITES))
async def test_a_group_is_founded_whole_after_a_crash_before_any_write(
    api: InMemoryApi, operator: Operator, clock: FakeClock, number: int
) -> None:
    def kill(_: str) -> None:
        if len(api.writes) == number - 1:
            raise Killed

    api.before_write = kill
    with pytest.raises(Killed):
        await to_the_end(operator, clock)
    api.before_write = lambda _: None
    await lives(api, clock)
    assert open_pods(api) == set(shares(api)) == {"a", "b", "c"}
    assert len(api.of(RESOURCE_CLAIMS)) == 1


@pytest.mark.parametrize("number", range(1, FOUNDING_WRITES))
async def test_a_lost_answer_leads_to_the_same_group(
    api: InMemoryApi, operator: Operator, clock: FakeClock, number: int
) -> None:
    api.lost_answer = number
    await to_the_end(operator, clock)
    assert open_pods(api) == set(shares(api)) == {"a", "b", "c"}
    assert len(api.of(RESOURCE_CLAIMS)) == len(api.of(GPU_PARTITION_CLAIMS)) == 1


@pytest.mark.parametrize("number", range(1, 5))
async def test_a_group_that_ends_leaves_nothing_after_a_crash_at_any_write(
    api: InMemoryApi, founded: Operator, clock: FakeClock, number: int
) -> None:
    for name in "abc":
        remove(api, name)
    done = len(api.writes)

    def kill(_: str) -> None:
        if len(api.writes) == done + number - 1:
            raise Killed

    api.before_write = kill
    with pytest.raises(Killed):
        await rounds(founded)
    api.before_write = lambda _: None
    await lives(api, clock)
    assert api.of(GPU_PARTITION_CLAIMS) == api.of(RESOURCE_CLAIMS) == []


async def test_a_share_is_not_given_away_on_an_old_view_of_pods(
    api: InMemoryApi, founded: Operator, clock: FakeClock
) -> None:
    founded.fed.listed(founded.cluster.pods)
    await founded.reconcile(KEY)
    assert set(shares(api)) == {"a", "b", "c"}


async def test_a_restart_knows_the_shares_that_were_given(
    api: InMemoryApi, founded: Operator, clock: FakeClock
) -> None:
    before = shares(api)
    api.put(PODS, member("d"))
    await lives(api, clock)
    assert {name: shares(api)[name] for name in before} == before
    allocate(api)
    await lives(api, clock)
    assert the_claim(api)["status"]["phase"] == "Allocated"


async def test_an_api_server_that_does_not_answer_about_a_pod_keeps_its_share(
    api: InMemoryApi, founded: Operator
) -> None:
    async def unavailable(*_: object, **__: object) -> None:
        raise Unavailable(503, "Unavailable", "nobody answers")

    founded.fed.listed(founded.cluster.pods)
    api.get = unavailable  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await founded.reconcile(KEY)
    assert set(shares(api)) == {"a", "b", "c"}
