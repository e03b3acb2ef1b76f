from dataclasses import replace

import pytest

from controller.agent.backend import BackendError, DriverGone, EccCount, HardwareGpu, NodeHardware
from controller.agent.health import gpu_health, missing_partitions
from tests.controller.agent.hardware import RecordedBackend


@pytest.fixture
async def whole() -> NodeHardware:
    """Eight GPUs in eight partitions each: as many as the driver makes."""
    return await RecordedBackend("CPX/NPS4", gpus=8).read()


def first(node: NodeHardware, **changes: object) -> NodeHardware:
    """The node with fields of its first GPU changed."""
    gpu: HardwareGpu = replace(node.gpus[0], **changes)  # type: ignore[arg-type]
    return replace(node, gpus=(gpu, *node.gpus[1:]))


ROWS = [
    pytest.param({}, None, True, [], id="nothing wrong"),
    pytest.param({"ecc": EccCount(900, 0, 3)}, None, True, [], id="errors that were corrected"),
    pytest.param(
        {"ecc": EccCount(0, 2, 0)},
        None,
        False,
        ["2 uncorrectable memory errors", "reset the GPU", "replace it"],
        id="errors that lost data",
    ),
    pytest.param(
        {}, DriverGone("no driver; load it"), False, ["not readable now: no driver; load it"], id="driver gone"
    ),
    pytest.param({"missing_partitions": 1}, None, True, ["8 of its 9 partitions", "reload"], id="a partition missing"),
    pytest.param({"mode": None}, None, True, ["mode cannot be read", "current_memory_partition"], id="no mode"),
    pytest.param(
        {"mode": None, "ecc": EccCount(0, 1, 0)},
        None,
        False,
        ["uncorrectable", "mode cannot be read"],
        id="two at once",
    ),
]


@pytest.mark.parametrize(("changes", "unread", "usable", "said"), ROWS)
def test_the_verdict_on_a_gpu(
    whole: NodeHardware, changes: dict[str, object], unread: BackendError | None, usable: bool, said: list[str]
) -> None:
    node = first(whole, **changes)
    health = gpu_health(node.gpus[0], node, unread)
    assert health.usable is usable
    assert all(health.covers(partition) is usable for partition in node.gpus[0].partitions)
    assert [words for words in said if words not in health.problem] == []
    assert bool(health.problem) is bool(said)


def test_the_errors_of_one_gpu_leave_the_others_alone(whole: NodeHardware) -> None:
    node = first(whole, ecc=EccCount(0, 7, 0))
    assert [gpu_health(gpu, node, None).usable for gpu in node.gpus] == [False] + [True] * 7


def test_sources_that_disagree_make_every_gpu_useless(whole: NodeHardware) -> None:
    node = replace(whole, disagreements=("AMD SMI tells 64 partitions, KFD 63",))
    assert not any(gpu_health(gpu, node, None).usable for gpu in node.gpus)


def test_one_partition_that_does_not_answer_is_named_and_taken_out(whole: NodeHardware) -> None:
    partitions = whole.gpus[0].partitions
    node = first(whole, partitions=(partitions[0], replace(partitions[1], healthy=False), *partitions[2:]))
    health = gpu_health(node.gpus[0], node, None)
    assert [health.covers(partition) for partition in node.gpus[0].partitions] == [True, False] + [True] * 6
    assert health.problem.startswith("partitions 1 do not answer")


def test_the_one_of_64_that_another_driver_holds_is_named_with_it(whole: NodeHardware) -> None:
    node = first(whole, missing_partitions=1, partitions=whole.gpus[0].partitions[:7])
    said = missing_partitions(node)
    assert "63 of the node's 64 partitions" in said
    assert "modprobe -r ast" in said
    assert "7 of its 8 partitions are there" in gpu_health(node.gpus[0], node, None).problem
    assert gpu_health(node.gpus[1], node, None).problem == ""


def test_fewer_partitions_than_the_host_can_have_are_not_blamed_on_it(whole: NodeHardware) -> None:
    node = first(replace(whole, gpus=whole.gpus[:2]), missing_partitions=1, partitions=whole.gpus[0].partitions[:7])
    assert "15 of the node's 16 partitions" in missing_partitions(node)
    assert "ast" not in missing_partitions(node).split()


def test_nothing_missing_has_nothing_to_tell(whole: NodeHardware) -> None:
    assert missing_partitions(whole) == ""


def test_a_problem_fits_into_the_status(whole: NodeHardware) -> None:
    assert len(gpu_health(whole.gpus[0], whole, DriverGone("x" * 9000)).problem) == 4096
