from dataclasses import replace
from datetime import timedelta

import pytest

from api.object import dump
from api.v1beta1.gpu_node import GPUNode, GPUNodeStatus
from controller.agent.backend import DriverGone, NodeHardware
from controller.agent.inventory import NodeFacts, fingerprint, node_status
from controller.agent.usage import Holders, holders
from controller.gpu.mode import ComputeMode
from controller.runtime.manifest import Manifest
from tests.controller.agent.claims import partition_claim, resource_claim
from tests.controller.agent.hardware import A, RecordedBackend
from tests.fakes.clock import START

PRESENT: Manifest = {"metadata": {"name": "node-0", "generation": 3}}


@pytest.fixture
async def node() -> NodeHardware:
    return await RecordedBackend("DPX/NPS1").read()


def facts(node: NodeHardware | None, held: Holders | None = None) -> NodeFacts:
    return NodeFacts(hardware=node, problem=None, simulated=True, holders=held or {}, operation=None)


def ready(status: GPUNodeStatus) -> tuple[str, str]:
    (condition,) = status.conditions
    return condition.status, condition.reason


def test_the_node_in_one_status(node: NodeHardware) -> None:
    status = node_status(facts(node), PRESENT, START)
    assert (status.simulated, status.product, status.observed_generation) == (True, "MI300X", 3)
    assert status.driver.version == "6.12.12"
    assert (status.summary.partitions, status.summary.free, status.summary.modes) == (4, 4, "2xDPX/NPS1")
    assert status.gpus[0].bdf == A
    assert status.gpus[0].modes_validated == ["SPX/NPS1", "DPX/NPS2", "CPX/NPS4"]
    assert [partition.device for partition in status.gpus[0].partitions] == ["gpu-0-128", "gpu-1-129"]
    assert ready(status) == ("True", "InventoryRead")


def test_what_is_written_reads_the_same(node: NodeHardware) -> None:
    status = node_status(facts(node), PRESENT, START)
    assert GPUNode.model_validate({**PRESENT, "status": dump(status)}).status == status


def test_a_status_written_again_is_the_same(node: NodeHardware) -> None:
    first = dump(node_status(facts(node), PRESENT, START))
    again = dump(node_status(facts(node), {**PRESENT, "status": first}, START + timedelta(hours=1)))
    assert again == first


def test_holders_are_shown_and_counted(node: NodeHardware) -> None:
    held = holders(
        "node-0",
        [resource_claim("c", "gpu-0-128"), resource_claim("watch", "gpu-8-136", admin=True)],
        [partition_claim("aim-1", "gpu-1-129")],
    )
    status = node_status(facts(node, held), PRESENT, START)
    assert [p.holder for gpu in status.gpus for p in gpu.partitions] == ["foreign", "ours", "free", "free"]
    assert status.summary.free == 2


def test_without_the_driver_every_partition_is_unhealthy(node: NodeHardware) -> None:
    gone = replace(facts(node), problem=DriverGone("the driver is gone; load it"))
    status = node_status(gone, PRESENT, START)
    assert ready(status) == ("False", "DriverGone")
    assert {p.health for gpu in status.gpus for p in gpu.partitions} == {"Unhealthy"}
    assert status.summary.free == 0


def test_before_the_first_reading_nothing_is_claimed() -> None:
    status = node_status(facts(None), PRESENT, START)
    assert status.gpus == []
    assert ready(status) == ("False", "NotReadYet")


def test_the_fingerprint_changes_with_modes_and_health_only(node: NodeHardware) -> None:
    first = node.gpus[0]
    sick = replace(first, partitions=(replace(first.partitions[0], healthy=False), *first.partitions[1:]))
    moded = replace(first, mode=replace(first.mode, compute=ComputeMode.CPX))
    known = fingerprint(node)
    assert fingerprint(replace(node, gpus=(sick, *node.gpus[1:]))) != known
    assert fingerprint(replace(node, gpus=(moded, *node.gpus[1:]))) != known
    assert fingerprint(replace(node, driver_version="7.0.0")) != known
    assert fingerprint(replace(node)) == known
