"""Three pods of one gang on a node of four partitions: they are bound and let go together, or wait together."""

from typing import Any

import pytest

from controller.reconcilers.gpu_partition_claim.gangs import COMPLETE_SECONDS
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import Unavailable
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.claim import allocation, claim
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.pod import GATE, pod
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

QPX = gpu(0, "QPX/NPS1")
GANG = SMALL | {"aim.amd.com/gang": "ranks", "aim.amd.com/gang-size": "3"}
NAMES = [f"aim-{number}" for number in range(3)]
KEYS = [f"team-a/{name}" for name in NAMES]


@pytest.fixture
def api() -> InMemoryApi:
    stored = InMemoryApi()
    stored.put(NODES, node_object())
    stored.put(GPU_NODES, gpu_node("worker-0", QPX))
    return stored


def member(api: InMemoryApi, number: int, created: str = "2026-01-01T00:00:00Z", **spec: Any) -> None:
    metadata = {"creationTimestamp": created}
    api.put(PODS, pod(f"rank-{number}", claim=f"aim-{number}", annotations=GANG, metadata=metadata, **spec))


def taken(api: InMemoryApi, *indices: int) -> None:
    """Partitions that another model holds."""
    for index in indices:
        given = {"phase": "Allocated", "allocation": allocation("worker-0", 0, index, of=QPX)}
        api.put(GPU_PARTITION_CLAIMS, claim(f"aim-o{index}", namespace="team-b", pod=f"o-{index}", status=given))
        other = pod(f"o-{index}", claim=f"aim-o{index}", gates=(), node="worker-0", metadata={"namespace": "team-b"})
        api.put(PODS, other)


def phases(api: InMemoryApi) -> list[str]:
    return [status(api, name).get("phase", "Pending") for name in NAMES]


def status(api: InMemoryApi, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.objects["gpupartitionclaims", "team-a", name].get("status", {})
    return found


def places(api: InMemoryApi) -> set[int]:
    """The partitions that members have."""
    allocations = (status(api, name).get("allocation") for name in NAMES)
    return {device["partition"] for found in allocations if found for device in found["devices"]}


def open_gates(api: InMemoryApi) -> int:
    pods = [one for one in api.of(PODS) if one["metadata"]["name"].startswith("rank-")]
    return sum(not any(gate["name"] == GATE for gate in one["spec"].get("schedulingGates") or ()) for one in pods)


def reason(api: InMemoryApi) -> str:
    found: str = next(one["reason"] for one in status(api, NAMES[0])["conditions"] if one["type"] == "Bound")
    return found


async def rounds(operator: Operator, count: int, *keys: str) -> None:
    for _ in range(count):
        await operator.round(*(keys or KEYS))


async def test_nothing_is_bound_before_the_last_of_a_gang_is_there(api: InMemoryApi, operator: Operator) -> None:
    member(api, 0)
    member(api, 1)
    await rounds(operator, 2, *KEYS[:2])
    assert reason(api) == "GangIncomplete"
    assert open_gates(api) == 0
    member(api, 2)
    await rounds(operator, 3)
    assert phases(api) == ["Bound"] * 3
    assert open_gates(api) == 3


async def test_a_gang_that_fits_in_part_waits_whole(api: InMemoryApi, operator: Operator) -> None:
    taken(api, 0, 1)
    for number in range(3):
        member(api, number)
    await rounds(operator, 3)
    assert phases(api) == ["Pending"] * 3
    assert reason(api) == "GangDoesNotFit"
    del api.objects["gpupartitionclaims", "team-b", "aim-o0"]
    del api.objects["pods", "team-b", "o-0"]
    await rounds(operator, 3)
    assert phases(api) == ["Bound"] * 3


def stopping(verb: str, after: int) -> Any:
    """The API server answers no write of that sort any more once `after` of them were done."""
    left = [after]

    def check(text: str) -> None:
        if text == verb:
            left[0] -= 1
            if left[0] < 0:
                raise Unavailable(503, "Unavailable", "nobody answers")

    return check


async def cut_short(api: InMemoryApi, clock: FakeClock) -> Operator:
    """An operator that starts after its predecessor had stored two of three places."""
    for number in range(3):
        member(api, number)
    first = Operator(api, clock)
    first.show()
    for key in KEYS:
        await first.reconcile(key)
    first.show()
    first.cycle.decide(retry=True)
    api.before_write = stopping("replace gpupartitionclaims", 2)
    for key in KEYS:
        await first._retried(key)
    assert sorted(phases(api)) == ["Bound", "Bound", "Pending"]
    assert open_gates(api) == 0
    api.before_write = lambda _: None
    return Operator(api, clock)


async def test_a_gang_that_a_crash_left_bound_in_part_is_completed(api: InMemoryApi, clock: FakeClock) -> None:
    second = await cut_short(api, clock)
    await rounds(second, 3)
    assert phases(api) == ["Bound"] * 3
    assert open_gates(api) == 3


@pytest.mark.parametrize("writes", range(1, 13))
async def test_wherever_the_operator_dies_a_gang_is_bound_whole_in_the_end(
    api: InMemoryApi, clock: FakeClock, writes: int
) -> None:
    for number in range(3):
        member(api, number)
    first, left = Operator(api, clock), [writes]

    def dies(_: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Unavailable(503, "Unavailable", "nobody answers")

    api.before_write = dies
    await rounds(first, 2)
    assert open_gates(api) == 0 or phases(api) == ["Bound"] * 3
    api.before_write = lambda _: None
    second = Operator(api, clock)
    await rounds(second, 3)
    assert phases(api) == ["Bound"] * 3
    assert open_gates(api) == 3


async def test_where_the_rest_finds_no_place_the_others_give_theirs_back(api: InMemoryApi, clock: FakeClock) -> None:
    second = await cut_short(api, clock)
    taken(api, *sorted(set(range(4)) - places(api)))
    await rounds(second, 3)
    assert sorted(phases(api)) == ["Bound", "Bound", "Pending"]
    assert open_gates(api) == 0
    clock.tick(COMPLETE_SECONDS + 1)
    await rounds(second, 3)
    assert phases(api) == ["Pending"] * 3
    assert open_gates(api) == 0


async def test_a_pod_that_comes_back_to_a_running_gang_is_bound_alone(api: InMemoryApi, operator: Operator) -> None:
    for number in range(3):
        member(api, number)
    await rounds(operator, 3)
    del api.objects["pods", "team-a", "rank-1"]
    del api.objects["gpupartitionclaims", "team-a", "aim-1"]
    member(api, 1)
    await rounds(operator, 3)
    assert open_gates(api) == 3


def left(api: InMemoryApi) -> list[int]:
    """Takes the pods off the cluster that were asked to leave; their partitions."""
    found = [one for one in api.of(PODS) if "deletionTimestamp" in one["metadata"]]
    for one in found:
        name = one["metadata"]["name"]
        del api.objects["pods", "team-b", name]
        del api.objects["gpupartitionclaims", "team-b", f"aim-{name.replace('-', '')}"]
    return [int(one["metadata"]["name"][-1]) for one in found]


async def test_for_an_urgent_gang_as_many_leave_as_it_needs_one_at_a_time(api: InMemoryApi, operator: Operator) -> None:
    taken(api, 0, 1, 2)
    for number in range(3):
        member(api, number, priority=1000)
    gone: list[list[int]] = []
    for _ in range(8):
        await operator.round(*KEYS)
        gone.append(left(api))
    assert sorted(len(each) for each in gone if each) == [1, 1]
    assert phases(api) == ["Bound"] * 3


async def test_for_a_gang_that_waits_long_its_places_are_kept(api: InMemoryApi, operator: Operator) -> None:
    taken(api, 0, 1)
    for number in range(3):
        member(api, number, "2025-12-31T20:00:00Z")
    await rounds(operator, 2)
    reasons = [status(api, name)["nomination"]["reason"] for name in NAMES]
    assert reasons == ["Reservation"] * 3
    api.put(PODS, pod("small", claim="aim-small", annotations=SMALL))
    await rounds(operator, 2, "team-a/aim-small", *KEYS)
    assert status(api, "aim-small")["phase"] == "Pending"
