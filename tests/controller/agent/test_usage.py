from dataclasses import replace

import pytest

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.usage import Holder, given_gpus, held_gpus, holders, used_bytes, waiting
from controller.gpu.identity import PartitionId
from controller.runtime.manifest import Manifest
from tests.controller.agent.claims import partition_claim, resource_claim
from tests.controller.agent.hardware import A, B, RecordedBackend

GIB = 2**30
OURS = Holder("team", "aim-1", sized_bytes=17 * GIB, place=PartitionId(A, 0), confirmed=True)
UNCONFIRMED = replace(OURS, confirmed=False)

HOLDINGS = [
    pytest.param([], [], {}, id="nobody"),
    pytest.param(
        [resource_claim("c", "gpu-0-128")], [], {"gpu-0-128": (Holder("team", "c", confirmed=True),)}, id="foreign"
    ),
    pytest.param(
        [resource_claim("aim-1", "gpu-0-128")],
        [partition_claim("aim-1", "gpu-0-128")],
        {"gpu-0-128": (OURS,)},
        id="ours",
    ),
    pytest.param(
        [],
        [partition_claim("aim-1", "gpu-0-128")],
        {"gpu-0-128": (UNCONFIRMED,)},
        id="ours, bound and not confirmed",
    ),
    pytest.param(
        [resource_claim("aim-1", "gpu-0-128")],
        [partition_claim("aim-1", "gpu-0-128", model="Qwen/Qwen3-8B", pod="chat-0", service="chat")],
        {"gpu-0-128": (replace(OURS, model="Qwen/Qwen3-8B", pod="chat-0", service="chat"),)},
        id="ours, of a service's pod",
    ),
    pytest.param([], [partition_claim("aim-1", "gpu-0-128", phase="Released")], {}, id="ours, released"),
    pytest.param([], [partition_claim("aim-1", "gpu-0-128", node="node-1")], {}, id="ours on another node"),
    pytest.param([resource_claim("c", "gpu-0-128", pool="node-1")], [], {}, id="another node's pool"),
    pytest.param([resource_claim("c", "gpu-0-128", driver="nic.example.com")], [], {}, id="another driver"),
    pytest.param([resource_claim("c")], [], {}, id="not allocated"),
    pytest.param(
        [resource_claim("watch", "gpu-0-128", admin=True), resource_claim("c", "gpu-0-128")],
        [],
        {"gpu-0-128": (Holder("team", "c", confirmed=True), Holder("team", "watch", confirmed=True, admin=True))},
        id="a looker-on comes last",
    ),
    pytest.param(
        [resource_claim("aim-1", "gpu-1-129")],
        [partition_claim("aim-1", "gpu-0-128")],
        {"gpu-1-129": (replace(OURS, place=None),), "gpu-0-128": (UNCONFIRMED,)},
        id="ours, allocated elsewhere than bound: both are held",
    ),
]


@pytest.mark.parametrize(("resource_claims", "partition_claims", "want"), HOLDINGS)
def test_holders(resource_claims: list[Manifest], partition_claims: list[Manifest], want: object) -> None:
    assert holders("node-0", resource_claims, partition_claims) == want


def of_plugin(**fields: str) -> Manifest:
    """A claim of the device plugin whose device is not known yet."""
    claim = partition_claim("aim-1", pod="chat-0", **fields)
    claim["status"]["allocation"] |= {"resource": {"name": "amd.com/gpu"}, "devices": []}
    return claim


def known(claim: Manifest) -> Manifest:
    claim["status"]["allocation"]["devices"] = [{"device": "gpu-0-128"}]
    return claim


@pytest.mark.parametrize(
    ("claim", "want"),
    [
        pytest.param(of_plugin(), {("team", "chat-0")}, id="one that is bound"),
        pytest.param(of_plugin(phase="Released"), set(), id="one that is over"),
        pytest.param(of_plugin(phase="Allocated"), set(), id="one whose device was read back"),
        pytest.param(of_plugin(node="node-1"), set(), id="another node's"),
        pytest.param(known(of_plugin()), set(), id="one that knows its device"),
        pytest.param(partition_claim("aim-1", pod="chat-0"), set(), id="one without the device plugin"),
    ],
)
def test_claims_that_wait_for_the_kubelets_word(claim: Manifest, want: set[tuple[str, str]]) -> None:
    assert waiting("node-0", [claim]).keys() == want


@pytest.mark.parametrize(
    ("claim", "want"),
    [
        pytest.param(resource_claim("c", "gpu-9-137"), {B}, id="one device blocks its gpu"),
        pytest.param(resource_claim("c", "gpu-9-137", admin=True), {B}, id="so does a looker-on"),
        pytest.param(resource_claim("c", "gpu-40-168"), {A, B}, id="an unknown device blocks all"),
        pytest.param(resource_claim("c"), set(), id="no device"),
    ],
)
async def test_gpus_that_must_not_be_changed(claim: Manifest, want: set[str]) -> None:
    node = await RecordedBackend("DPX/NPS1").read()
    assert held_gpus(node, holders("node-0", [claim], []).keys()) == want


async def test_used_bytes_are_the_claims_or_all_there_is() -> None:
    node = await RecordedBackend("CPX/NPS4").read()
    resource_claims = [
        resource_claim("aim-1", "gpu-0-128"),
        resource_claim("foreign", "gpu-1-129"),
        resource_claim("watch", "gpu-2-130", admin=True),
    ]
    held = holders(
        "node-0", resource_claims, [partition_claim("aim-1", "gpu-0-128"), partition_claim("aim-2", "gpu-3-131")]
    )
    assert used_bytes(node, held) == {PartitionId(A, 0): 17 * GIB, PartitionId(A, 1): 24574 << 20}


def given(bdf: str | None) -> AssignedDevice:
    where = {"namespace": "team", "pod": "p", "container": "c", "resource": "amd.com/gpu", "device": "d"}
    return AssignedDevice.model_validate({**where, "bdf": bdf})


@pytest.mark.parametrize(
    ("assigned", "want"),
    [
        pytest.param([], set(), id="nothing"),
        pytest.param([given(B)], {B}, id="one"),
        pytest.param([given(None)], {A, B}, id="a device of nobody knows which GPU"),
        pytest.param([given("0000:ff:00.0")], set(), id="another node's"),
    ],
)
async def test_gpus_that_the_kubelet_gave_away(assigned: list[AssignedDevice], want: set[str]) -> None:
    assert given_gpus(await RecordedBackend("DPX/NPS1").read(), assigned) == want
