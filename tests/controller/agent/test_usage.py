from dataclasses import replace

import pytest

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.usage import Holder, figures, given_gpus, held_gpus, holders, used_bytes
from controller.gpu.identity import PartitionId
from controller.runtime.manifest import Manifest
from tests.controller.agent.claims import partition_claim, resource_claim
from tests.controller.agent.hardware import A, B, RecordedBackend

GIB = 2**30
OURS = Holder("team", "aim-1", sized_bytes=17 * GIB, confirmed=True)

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
        {"gpu-0-128": (Holder("team", "aim-1", sized_bytes=17 * GIB, confirmed=False),)},
        id="ours, bound and not confirmed",
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
        {"gpu-1-129": (OURS,), "gpu-0-128": (Holder("team", "aim-1", sized_bytes=17 * GIB, confirmed=False),)},
        id="ours, allocated elsewhere than bound: both are held",
    ),
]


@pytest.mark.parametrize(("resource_claims", "partition_claims", "want"), HOLDINGS)
def test_holders(resource_claims: list[Manifest], partition_claims: list[Manifest], want: object) -> None:
    assert holders("node-0", resource_claims, partition_claims) == want


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


async def test_figures_have_a_row_for_each_partition() -> None:
    backend = RecordedBackend("CPX/NPS4")
    node = await backend.read()
    held = holders(
        "node-0",
        [resource_claim("aim-1", "gpu-0-128")],
        [partition_claim("aim-1", "gpu-0-128", model="Qwen/Qwen3-8B"), partition_claim("aim-2", "gpu-1-129")],
    )
    backend.used = used_bytes(node, held)
    rows = figures("node-0", node, held, await backend.usage())
    assert len(rows) == 16
    told = [(row.claim, row.model, row.allocated_bytes, row.used_bytes, bool(row.busy)) for row in rows[:3]]
    assert told == [
        ("aim-1", "Qwen/Qwen3-8B", 17 * GIB, 17 * GIB, True),
        ("aim-2", "", 17 * GIB, 0, False),
        ("", "", 0, 0, False),
    ]
    assert {(row.node, row.mode, row.total_bytes) for row in rows} == {("node-0", "CPX/NPS4", 24574 << 20)}


async def test_what_is_not_told_is_not_made_up() -> None:
    node = await RecordedBackend("CPX/NPS4", gpus=1).read()
    unread = replace(node, gpus=(replace(node.gpus[0], mode=None),))
    rows = figures("node-0", unread, {}, {})
    assert {(row.mode, row.used_bytes, row.busy) for row in rows} == {("", None, None)}


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
