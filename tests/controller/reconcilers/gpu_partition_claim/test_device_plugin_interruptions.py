"""The flow of the device plugin's pods, cut short at each of its writes, by an operator that starts anew."""

from collections.abc import Callable

import pytest

from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import ApiError, Conflict
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plugin import assigned, plugin_claim_of, plugin_pod
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.api import NOT_ANSWERED, InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

SPX = "amd.com/spx_nps1"
NAMES = ("model-0", "model-1")
KEYS = tuple(f"team-a/{plugin_claim_of(name)}" for name in NAMES)
#: Two claims made, one bound, one gate opened, one told to wait, one read back: cut at each, and at none.
WRITES = range(1, 8)
MOVED_ON = Conflict(409, "Conflict", "the object has been modified")


@pytest.fixture
def api() -> InMemoryApi:
    """One GPU in SPX, and two pods that want it."""
    stored = InMemoryApi()
    allocatable = {"cpu": "128", "memory": "2048Gi", "pods": "110", SPX: "1"}
    stored.put(NODES, node_object(allocatable=allocatable))
    stored.put(GPU_NODES, gpu_node("worker-0", gpu(0, "SPX/NPS1")))
    stored.put(GPU_SHARING_POLICIES, policy_object(binding="DevicePlugin"))
    for name in NAMES:
        stored.put(PODS, plugin_pod(name, SPX, annotations=SMALL))
    return stored


def refuse_write(number: int, error: ApiError) -> Callable[[InMemoryApi], None]:
    """The write of that number is not done."""

    def arm(api: InMemoryApi) -> None:
        seen = 0

        def count(_: str) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                raise error

        api.before_write = count

    return arm


def lose_answer(number: int) -> Callable[[InMemoryApi], None]:
    """The write of that number is done, and its answer never comes."""

    def arm(api: InMemoryApi) -> None:
        api.lost_answer = number

    return arm


def bound(api: InMemoryApi) -> list[str]:
    """The pods whose claims count as holding the device."""
    return [
        claim["spec"]["podRef"]["name"]
        for claim in api.of(GPU_PARTITION_CLAIMS)
        if claim.get("status", {}).get("phase") in ("Bound", "Allocated")
    ]


def play_cluster(api: InMemoryApi) -> None:
    """Whoever is open is scheduled, and the kubelet tells of whoever is scheduled."""
    entries = []
    for stored in api.of(PODS):
        name, spec = stored["metadata"]["name"], stored["spec"]
        if not spec.get("schedulingGates"):
            entries.append(assigned(name, 0, resource=SPX))
            if "nodeName" not in spec:
                api.put(PODS, stored | {"spec": spec | {"nodeName": "worker-0"}, "status": {"phase": "Running"}})
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "SPX/NPS1"), assigned=entries))


CUTS = [
    *(pytest.param(refuse_write(n, NOT_ANSWERED), id=f"write {n} is not taken up") for n in WRITES),
    *(pytest.param(refuse_write(n, MOVED_ON), id=f"write {n} comes too late") for n in WRITES),
    *(pytest.param(lose_answer(n), id=f"the answer to write {n} is lost") for n in WRITES),
]


@pytest.mark.parametrize("restarts", [True, False], ids=["a new operator each round", "one operator"])
@pytest.mark.parametrize("cut", CUTS)
async def test_the_one_device_goes_to_one_pod_and_the_other_waits(
    api: InMemoryApi, clock: FakeClock, cut: Callable[[InMemoryApi], None], restarts: bool
) -> None:
    cut(api)
    operator = Operator(api, clock)
    for _ in range(8):
        operator = Operator(api, clock) if restarts else operator
        await operator.round(*KEYS)
        assert len(bound(api)) <= 1
        assert sum(not stored["spec"].get("schedulingGates") for stored in api.of(PODS)) <= 1
        play_cluster(api)
        clock.tick(PATIENCE_SECONDS)
        for node in api.of(NODES):
            operator.fed.beat(node["metadata"]["name"])
    phases = sorted(claim["status"]["phase"] for claim in api.of(GPU_PARTITION_CLAIMS))
    assert phases == ["Allocated", "Pending"]
    (claim,) = [each for each in api.of(GPU_PARTITION_CLAIMS) if each["status"]["phase"] == "Allocated"]
    assert [device["partition"] for device in claim["status"]["observed"]["devices"]] == [0]
    assert not {c["type"] for c in claim["status"]["conditions"]} & {"ObservedMismatch", "Stuck"}
