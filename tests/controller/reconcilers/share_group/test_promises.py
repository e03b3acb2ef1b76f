"""What the services of a group are promised together is no more than their policy lets be in flight."""

from typing import Any

import pytest

from api.group import SERVICE_LABEL
from api.object import dump
from controller.reconcilers.share_group.founding import GATHER_SECONDS
from controller.runtime.client.core import PODS
from controller.state.kinds import GPU_SHARING_POLICIES
from tests.builders.inference_service import inference_service
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.share_group.group import KEY, allocate, member, remove, rounds, shares, the_claim
from tests.fakes.clock import FakeClock


def of_service(pod: str, service: str) -> dict[str, Any]:
    """A member that is a pod of the service."""
    return member(pod, metadata={"labels": {SERVICE_LABEL: service}})


def promise(operator: Operator, service: str, least: int) -> None:
    """The service is there, with this minimum."""
    made = inference_service(service, qos={"guarantees": {"minConcurrency": least}})
    operator.fed.put(operator.cluster.services, dump(made))


@pytest.fixture
async def bounded(api: InMemoryApi, operator: Operator, clock: FakeClock) -> Operator:
    """Of a partition that takes eight requests, service first has 5 promised with two pods that founded the group."""
    for name in ("a", "b", "c"):
        remove(api, name)
    api.put(GPU_SHARING_POLICIES, policy_object(sharedConcurrency=8))
    promise(operator, "first", 5)
    api.put(PODS, of_service("first-0", "first"))
    api.put(PODS, of_service("first-1", "first"))
    await operator.round(KEY)
    clock.tick(GATHER_SECONDS)
    await rounds(operator)
    allocate(api)
    await rounds(operator)
    assert set(shares(api)) == {"first-0", "first-1"}
    return operator


async def test_who_would_be_promised_too_much_waits_and_is_told(api: InMemoryApi, bounded: Operator) -> None:
    promise(bounded, "second", 4)
    api.put(PODS, of_service("second-0", "second"))
    await rounds(bounded)
    assert "second-0" not in shares(api)
    told = the_claim(api)["status"]["explanation"]
    assert "pod second-0 waits: GuaranteeCapacity: share group chat can promise 3 more requests in flight" in told
    assert "minConcurrency 4 is asked for" in told
    assert ("Warning", "GuaranteeCapacity") in bounded.told


async def test_who_is_promised_what_is_left_joins(api: InMemoryApi, bounded: Operator) -> None:
    promise(bounded, "second", 3)
    api.put(PODS, of_service("second-0", "second"))
    await rounds(bounded)
    assert "second-0" in shares(api)


async def test_one_that_waits_joins_once_its_service_asks_for_less(api: InMemoryApi, bounded: Operator) -> None:
    promise(bounded, "second", 4)
    api.put(PODS, of_service("second-0", "second"))
    await rounds(bounded)
    promise(bounded, "second", 2)
    await rounds(bounded)
    assert "second-0" in shares(api)


async def test_two_that_come_together_are_not_promised_the_same(api: InMemoryApi, bounded: Operator) -> None:
    for service in ("second", "third"):
        promise(bounded, service, 2)
        api.put(PODS, of_service(f"{service}-0", service))
    await rounds(bounded)
    assert set(shares(api)) == {"first-0", "first-1", "second-0"}


async def test_a_services_further_pods_are_promised_nothing_more(api: InMemoryApi, bounded: Operator) -> None:
    promise(bounded, "second", 3)
    api.put(PODS, of_service("second-0", "second"))
    api.put(PODS, of_service("first-2", "first"))
    await rounds(bounded)
    assert set(shares(api)) == {"first-0", "first-1", "first-2", "second-0"}


async def test_pods_of_no_service_are_promised_nothing_and_join(api: InMemoryApi, bounded: Operator) -> None:
    promise(bounded, "second", 3)
    api.put(PODS, of_service("second-0", "second"))
    api.put(PODS, member("plain"))
    await rounds(bounded)
    assert {"second-0", "plain"} <= set(shares(api))
