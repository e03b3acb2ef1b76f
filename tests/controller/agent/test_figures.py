"""What is told of a node for metrics and charging, from its hardware, use and holders."""

from dataclasses import replace

import pytest

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import DriverGone, EccCount, GpuUse, NodeHardware, NodeUse, PartitionUse
from controller.agent.figures import Claimed, Known, gpu_figures, holdings, partition_figures
from controller.agent.usage import holders, used_bytes, waiting
from controller.gpu.figures import GpuFigures, Holding, PartitionFigures
from controller.gpu.identity import PartitionId
from tests.controller.agent.claims import partition_claim, resource_claim
from tests.controller.agent.hardware import A, B, RecordedBackend

GIB = 2**30
CPX = 24574 << 20
NOBODY = Claimed({})


async def node(mode: str = "CPX/NPS4") -> NodeHardware:
    return await RecordedBackend(mode).read()


def first(known: Known) -> PartitionFigures:
    return partition_figures(known)[0]


def whose(figures: PartitionFigures) -> tuple[object, ...]:
    return figures.namespace, figures.claim, figures.pod, figures.service, figures.model, figures.allocated_bytes


def given(
    pod: str = "llm-0", *, namespace: str = "team", resource: str = "amd.com/gpu", bdf: str | None = A
) -> AssignedDevice:
    place = {"bdf": bdf, "partition": None if bdf is None else 0}
    who = {"namespace": namespace, "pod": pod, "container": "c", "resource": resource, "device": "d"}
    return AssignedDevice.model_validate(who | place)


FOREIGN = [resource_claim("theirs", "gpu-0-128")]
LOOKING = [resource_claim("watch", "gpu-0-128", admin=True)]
BOUND = partition_claim("aim-1", "gpu-0-128", model="Qwen/Qwen3-8B", pod="chat-0", service="chat")
DRIVER = "gpu.amd.com"

PLUGIN = partition_claim("aim-2", model="m", pod="llm-0", service="code")
PLUGIN["status"]["allocation"]["resource"] = {"name": "amd.com/gpu"}
WAITING = waiting("node-0", [PLUGIN])
OURS = ("team", "aim-1", "chat-0", "chat", "Qwen/Qwen3-8B", 17 * GIB)
NONE = ("", "", "", "", "", 0)

WHOSE = [
    pytest.param(NOBODY, NONE, id="nobody's"),
    pytest.param(Claimed(holders("node-0", [], [BOUND])), OURS, id="ours"),
    pytest.param(
        Claimed(holders("node-0", [], [BOUND]), [given("somebody")]), OURS, id="ours, whatever the kubelet tells"
    ),
    pytest.param(
        Claimed(holders("node-0", [], [partition_claim("aim-group-1", "gpu-0-128")]), [given("a")]),
        ("team", "aim-group-1", "", "", "", 17 * GIB),
        id="a share group's, however many members it has",
    ),
    pytest.param(Claimed(holders("node-0", FOREIGN, [])), ("team", "theirs", "", "", "", CPX), id="a foreign claim's"),
    pytest.param(
        Claimed(holders("node-0", FOREIGN, []), [given("llm-0", resource=DRIVER)]),
        ("team", "theirs", "llm-0", "", "", CPX),
        id="a foreign claim's, whose pod the kubelet knows",
    ),
    pytest.param(
        Claimed(holders("node-0", FOREIGN, []), [given("a", resource=DRIVER), given("b", resource=DRIVER)]),
        ("team", "theirs", "", "", "", CPX),
        id="a foreign claim's, which several pods use",
    ),
    pytest.param(Claimed(holders("node-0", LOOKING, [])), NONE, id="looked at"),
    pytest.param(
        Claimed(holders("node-0", LOOKING, []), [given("exporter", resource=DRIVER)]),
        NONE,
        id="looked at, as the kubelet knows too",
    ),
    pytest.param(Claimed({}, [given()]), ("team", "", "llm-0", "", "", CPX), id="given by the device plugin"),
    pytest.param(
        Claimed({}, [given()], WAITING),
        ("team", "aim-2", "llm-0", "code", "m", 17 * GIB),
        id="given to a pod whose claim does not know it yet",
    ),
    pytest.param(
        Claimed({}, [given(namespace="others")], WAITING),
        ("others", "", "llm-0", "", "", CPX),
        id="given to another namespace's pod of that name",
    ),
    pytest.param(Claimed({}, [], WAITING), NONE, id="not given yet"),
    pytest.param(Claimed({}, [given("a"), given("b")]), ("team", "", "", "", "", CPX), id="given to two pods"),
    pytest.param(
        Claimed({}, [given(), given("b", namespace="others")]), ("", "", "", "", "", CPX), id="given to two namespaces"
    ),
    pytest.param(Claimed({}, [given(bdf=None)]), NONE, id="given, and nobody knows which"),
    pytest.param(Claimed({}, [given(bdf=B)]), NONE, id="another one is given"),
]


@pytest.mark.parametrize(("claimed", "want"), WHOSE)
async def test_whose_a_partition_is(claimed: Claimed, want: tuple[object, ...]) -> None:
    known = Known("node-0", await node(), None, claimed)
    assert whose(first(known)) == want
    others = partition_figures(known)[1:8]
    assert {whose(figures) for figures in others} == {NONE}


async def test_there_is_one_for_each_partition_with_what_it_does() -> None:
    backend = RecordedBackend("CPX/NPS4")
    hardware = await backend.read()
    held = holders("node-0", [resource_claim("aim-1", "gpu-0-128")], [BOUND])
    backend.used = used_bytes(hardware, held)
    told = partition_figures(Known("node-0", hardware, None, Claimed(held), await backend.usage()))
    places = [(figures.gpu, figures.partition) for figures in told]
    assert places == [(bdf, index) for bdf in (A, B) for index in range(8)]
    assert [(one.used_bytes, bool(one.busy)) for one in told[:2]] == [(17 * GIB, True), (0, False)]
    assert {(one.node, one.mode, one.total_bytes, one.healthy) for one in told} == {("node-0", "CPX/NPS4", CPX, True)}


async def test_what_is_not_told_is_not_made_up() -> None:
    hardware = await node()
    gpu = hardware.gpus[0]
    unsized = replace(gpu, mode=None, ecc=None, partitions=(replace(gpu.partitions[0], bytes=0),))
    known = Known("node-0", replace(hardware, gpus=(unsized,)), None, Claimed(holders("node-0", FOREIGN, [])))
    figures = first(known)
    assert (figures.mode, figures.total_bytes, figures.allocated_bytes, figures.used_bytes, figures.busy) == (
        "",
        None,
        None,
        None,
        None,
    )
    (whole,) = gpu_figures(known)
    assert whole == GpuFigures("node-0", A, "MI300X", "", missing_partitions=0)


async def test_a_gpu_is_told_with_its_product_sensors_errors_and_users() -> None:
    hardware = await node("SPX/NPS1")
    first, second = hardware.gpus
    gpus = (replace(first, ecc=EccCount(3, 1, 2), missing_partitions=1), replace(second, ecc=None))
    use = NodeUse({}, {A: GpuUse({"hotspot": 61.0, "memory": 55.0}, 412.0)})
    told = gpu_figures(Known("node-0", replace(hardware, gpus=gpus), None, NOBODY, use, processes={A: 2}))
    assert told == (
        GpuFigures(
            "node-0",
            A,
            "MI300X",
            "SPX/NPS1",
            missing_partitions=1,
            processes=2,
            power_watts=412.0,
            temperatures={"hotspot": 61.0, "memory": 55.0},
            errors={"correctable": 3, "uncorrectable": 1, "deferred": 2},
        ),
        GpuFigures("node-0", B, "MI300X", "SPX/NPS1", missing_partitions=0, processes=0),
    )


def facts(known: Known) -> set[tuple[object, ...]]:
    return {(one.total_bytes, one.healthy) for one in partition_figures(known)}


async def test_gpus_that_cannot_be_read_are_unhealthy_and_tell_nothing_else() -> None:
    known = Known("node-0", await node(), DriverGone("no driver"), Claimed(holders("node-0", [], [BOUND])))
    assert facts(known) == {(None, False)}
    assert whose(first(known))[-1] == 17 * GIB, "its claim holds it nevertheless"
    assert gpu_figures(known) == ()


async def test_a_driver_that_refuses_just_now_makes_nothing_unhealthy_and_is_not_quoted() -> None:
    known = Known("node-0", await node(), None, NOBODY, refused=True)
    assert facts(known) == {(None, True)}
    assert gpu_figures(known) == ()


async def test_health_is_the_gpus_verdict() -> None:
    hardware = await node("DPX/NPS1")
    sick = replace(hardware.gpus[0], ecc=EccCount(0, 2, 0))
    known = Known("node-0", replace(hardware, gpus=(sick, hardware.gpus[1])), None, NOBODY)
    health = {(one.gpu, one.healthy) for one in partition_figures(known)}
    assert health == {(A, False), (B, True)}


async def test_gpus_that_are_changed_are_left_out() -> None:
    known = Known("node-0", await node(), None, NOBODY, changing={A})
    assert {one.gpu for one in partition_figures(known)} == {B}
    assert [one.gpu for one in gpu_figures(known)] == [B]


async def test_what_a_claim_of_ours_holds_and_no_driver_shows_is_not_healthy() -> None:
    hardware = await node()
    lost = replace(hardware, gpus=hardware.gpus[1:])
    claimed = Claimed(holders("node-0", [resource_claim("aim-1", "gpu-0-128"), *LOOKING], [BOUND]))
    *there, gone = partition_figures(Known("node-0", lost, None, claimed))
    assert {(one.gpu, one.healthy) for one in there} == {(B, True)}
    assert gone == PartitionFigures(
        node="node-0",
        gpu=A,
        partition=0,
        mode="",
        namespace="team",
        claim="aim-1",
        pod="chat-0",
        service="chat",
        model="Qwen/Qwen3-8B",
        total_bytes=None,
        allocated_bytes=17 * GIB,
        used_bytes=None,
        busy=None,
        healthy=False,
    )


async def test_a_partition_that_is_missing_of_a_gpu_that_is_there_is_told_for_whom_it_is() -> None:
    hardware = await node()
    first, second = hardware.gpus
    short = replace(hardware, gpus=(replace(first, partitions=first.partitions[1:], missing_partitions=1), second))
    gone = partition_figures(Known("node-0", short, None, Claimed(holders("node-0", [], [BOUND]))))[-1]
    assert (gone.gpu, gone.partition, gone.healthy, gone.claim) == (A, 0, False, "aim-1")


@pytest.mark.parametrize(
    ("claimed", "changing"),
    [
        pytest.param(Claimed(holders("node-0", [], [BOUND])), {A}, id="its GPU is changed"),
        pytest.param(Claimed(holders("node-0", FOREIGN, [])), set(), id="a foreign claim's: nobody knows which it was"),
        pytest.param(Claimed(holders("node-0", LOOKING, [])), set(), id="looked at"),
    ],
)
async def test_what_may_be_gone_and_is_not_told(claimed: Claimed, changing: set[str]) -> None:
    hardware = await node()
    lost = replace(hardware, gpus=hardware.gpus[1:])
    assert {one.gpu for one in partition_figures(Known("node-0", lost, None, claimed, changing=changing))} == {B}


async def test_use_is_that_of_the_partition_and_no_other() -> None:
    nothing = {PartitionId(B, index): PartitionUse(None, None) for index in range(8)}
    use = nothing | {PartitionId(B, 3): PartitionUse(GIB, 0.25)}
    told = partition_figures(Known("node-0", await node(), None, NOBODY, NodeUse(use, {})))
    assert [(one.gpu, one.partition, one.used_bytes, one.busy) for one in told if one.used_bytes is not None] == [
        (B, 3, GIB, 0.25)
    ]


async def test_use_that_was_measured_in_another_mode_is_nobodys() -> None:
    """Somebody divided GPU A, and it was not read again yet; B is as it was."""
    hardware = await node("DPX/NPS1")
    use = {
        PartitionId(bdf, index): PartitionUse(GIB, 0.25) for bdf, count in ((A, 8), (B, 2)) for index in range(count)
    }
    told = partition_figures(Known("node-0", hardware, None, NOBODY, NodeUse(use, {})))
    assert [(one.gpu, one.used_bytes, one.busy) for one in told] == [(A, None, None)] * 2 + [(B, GIB, 0.25)] * 2


async def test_who_holds_is_told_once_for_each_partition() -> None:
    hardware = await node()
    claims = [
        partition_claim("aim-1", "gpu-0-128", "gpu-1-129", model="m", pod="chat-0", service="chat"),
        partition_claim("aim-2", "gpu-2-130", model="m", pod="chat-1", service="chat"),
    ]
    held = holders("node-0", [resource_claim("theirs", "gpu-3-131"), *LOOKING], claims)
    assert holdings(hardware, Claimed(held, [given("other", bdf=B)])) == (
        *[Holding("team", "chat", "m", CPX)] * 3,
        Holding("team", "", "", CPX),
        Holding("team", "", "", CPX),
    )


async def test_the_size_of_what_is_held_is_not_made_up() -> None:
    hardware = await node()
    gpu = hardware.gpus[0]
    unsized = replace(hardware, gpus=(replace(gpu, partitions=(replace(gpu.partitions[0], bytes=0),)),))
    assert holdings(unsized, Claimed(holders("node-0", [], [BOUND]))) == (
        Holding("team", "chat", "Qwen/Qwen3-8B", None),
    )
