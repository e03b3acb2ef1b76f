from dataclasses import replace
from datetime import timedelta

import pytest

from api.object import dump
from api.v1beta1.gpu_node import AssignedDevice, EccCounts, GPUNode, GPUNodeStatus
from controller.agent.backend import DriverGone, EccCount, NodeHardware
from controller.agent.inventory import BackendFacts, NodeFacts, fingerprint, node_status
from controller.agent.usage import Holders, holders
from controller.gpu.mode import mode
from controller.runtime.manifest import Manifest
from tests.controller.agent.claims import partition_claim, resource_claim
from tests.controller.agent.hardware import A, B, RecordedBackend
from tests.fakes.clock import START

SIMULATED = BackendFacts("simulated", simulated=True)
ASSIGNED = AssignedDevice(
    namespace="team",
    pod="llm-0",
    container="main",
    resource="amd.com/cpx_nps4",
    device="amdgpu_xcp_1",
    bdf=A,
    partition=1,
)
PRESENT: Manifest = {"metadata": {"name": "node-0", "generation": 3}}


@pytest.fixture
async def node() -> NodeHardware:
    return await RecordedBackend("DPX/NPS1").read()


def facts(node: NodeHardware | None, held: Holders | None = None) -> NodeFacts:
    return NodeFacts(hardware=node, problem=None, backend=SIMULATED, holders=held or {}, operation=None)


def condition(status: GPUNodeStatus, kind: str) -> tuple[str, str]:
    """Status and reason of one condition."""
    (found,) = [found for found in status.conditions if found.type == kind]
    return found.status, found.reason


def ready(status: GPUNodeStatus) -> tuple[str, str]:
    return condition(status, "Ready")


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
    assert condition(status, "Consistent") == ("Unknown", "NotRead")
    assert [gpu.problem for gpu in status.gpus] == ["not readable now: the driver is gone; load it"] * 2
    assert {p.health for gpu in status.gpus for p in gpu.partitions} == {"Unhealthy"}
    assert status.summary.free == 0


def test_partitions_in_quarantine_are_not_free(node: NodeHardware) -> None:
    spec = {"quarantine": [{"bdf": A, "partition": 0, "mode": "CPX/NPS1"}]}
    status = node_status(facts(node), {**PRESENT, "spec": spec}, START)
    assert (status.summary.free, status.summary.problems) == (2, "in quarantine: 2")


def test_what_the_hardware_tells_of_each_gpu(node: NodeHardware) -> None:
    first, second = node.gpus
    told = replace(first, ecc=EccCount(5, 0, 1), missing_partitions=1, partitions=first.partitions[:1])
    unread = replace(second, mode=None, ecc=None)
    seen = replace(facts(replace(node, gpus=(told, unread))), processes={A: 3})
    one, two = node_status(seen, PRESENT, START).gpus
    assert (one.processes, one.missing_partitions, one.ecc) == (3, 1, EccCounts(correctable=5, deferred=1))
    assert (two.processes, two.ecc, two.mode) == (0, None, None)
    assert one.problem is not None
    assert one.problem.startswith("1 of its 2 partitions are there; 3 of the node's 4")


def test_processes_that_nobody_can_tell_are_not_zero(node: NodeHardware) -> None:
    assert {gpu.processes for gpu in node_status(facts(node), PRESENT, START).gpus} == {None}


def test_where_the_sources_disagree_no_partition_is_healthy(node: NodeHardware) -> None:
    torn = replace(node, disagreements=("GPU 0000:05:00.0: AMD SMI tells 2 partitions, KFD 1",))
    status = node_status(facts(torn), PRESENT, START)
    assert condition(status, "Consistent") == ("False", "SourcesDisagree")
    assert "KFD 1" in next(found.message for found in status.conditions if found.type == "Consistent")
    assert {p.health for gpu in status.gpus for p in gpu.partitions} == {"Unhealthy"}
    assert ready(status) == ("True", "InventoryRead")


BACKENDS = [
    pytest.param(BackendFacts("amdsmi", simulated=False), ("True", "AsAsked"), id="as asked"),
    pytest.param(
        BackendFacts("sysfs", simulated=False, fallback="no libamd_smi.so; install it"),
        ("False", "FellBack"),
        id="fell back",
    ),
]


@pytest.mark.parametrize(("backend", "want"), BACKENDS)
def test_how_the_node_is_read(node: NodeHardware, backend: BackendFacts, want: tuple[str, str]) -> None:
    status = node_status(replace(facts(node), backend=backend), PRESENT, START)
    assert (status.backend, status.simulated) == (backend.name, False)
    assert condition(status, "Backend") == want


@pytest.mark.parametrize("assigned", [None, (), (ASSIGNED,)], ids=["not told", "nothing", "one"])
def test_what_the_kubelet_gave_away(node: NodeHardware, assigned: tuple[AssignedDevice, ...] | None) -> None:
    status = node_status(replace(facts(node), assigned=assigned), PRESENT, START)
    assert status.assigned == (None if assigned is None else list(assigned))
    assert status.gpus[0].partitions[1].holder == ("foreign" if assigned else "free")
    assert status.gpus[0].partitions[0].holder == "free"


def test_before_the_first_reading_nothing_is_claimed() -> None:
    status = node_status(facts(None), PRESENT, START)
    assert status.gpus == []
    assert ready(status) == ("False", "NotReadYet")


def test_what_an_agent_before_this_one_read_stays_as_unhealthy_while_nothing_can_be_read(node: NodeHardware) -> None:
    before = dump(node_status(replace(facts(node), processes={A: 3}), PRESENT, START))
    gone = replace(facts(None), problem=DriverGone("the driver is gone; load it"))
    status = node_status(gone, {**PRESENT, "status": before}, START)
    assert [(gpu.bdf, gpu.mode, gpu.processes) for gpu in status.gpus] == [(A, "DPX/NPS1", None), (B, "DPX/NPS1", None)]
    assert {part.health for gpu in status.gpus for part in gpu.partitions} == {"Unhealthy"}
    assert status.gpus[0].problem == "not readable now: the driver is gone; load it"
    assert (status.driver.version, status.fingerprint) == ("6.12.12", before["fingerprint"])
    assert (status.summary.partitions, status.summary.free) == (4, 0)


def without_b(node: NodeHardware) -> NodeFacts:
    return facts(replace(node, gpus=node.gpus[:1]))


def test_a_gpu_that_was_there_before_is_missed_until_it_is_seen_again(node: NodeHardware) -> None:
    first = node_status(facts(node), PRESENT, START)
    assert condition(first, "Complete") == ("True", "AllThere")
    gone = node_status(without_b(node), {**PRESENT, "status": dump(first)}, START)
    assert [(gpu.bdf, gpu.since) for gpu in gone.missing_gpus] == [(B, START)]
    assert ([gpu.bdf for gpu in gone.gpus], ready(gone)) == ([A], ("True", "InventoryRead"))
    later = node_status(without_b(node), {**PRESENT, "status": dump(gone)}, START + timedelta(hours=1))
    assert later == gone, "told as it was, by an agent that never saw it too"
    assert condition(later, "Complete") == ("False", "GpusMissing")
    (told,) = [found.message for found in later.conditions if found.type == "Complete"]
    assert f"{B} since {START:%Y-%m-%dT%H:%M:%SZ}" in told
    assert "remove its entry from status.missingGpus" in told
    back = node_status(facts(node), {**PRESENT, "status": dump(later)}, START)
    assert (back.missing_gpus, condition(back, "Complete")) == ([], ("True", "AllThere"))


def test_a_missing_gpu_whose_entry_was_removed_is_forgotten(node: NodeHardware) -> None:
    gone = node_status(without_b(node), {**PRESENT, "status": dump(node_status(facts(node), PRESENT, START))}, START)
    removed = {**dump(gone), "missingGpus": []}
    again = node_status(without_b(node), {**PRESENT, "status": removed}, START)
    assert (again.missing_gpus, condition(again, "Complete")) == ([], ("True", "AllThere"))


def test_a_gpu_stays_missing_while_nothing_can_be_read(node: NodeHardware) -> None:
    gone = node_status(without_b(node), {**PRESENT, "status": dump(node_status(facts(node), PRESENT, START))}, START)
    unread = replace(facts(None), problem=DriverGone("no driver"))
    status = node_status(unread, {**PRESENT, "status": dump(gone)}, START)
    assert [gpu.bdf for gpu in status.missing_gpus] == [B]
    assert condition(node_status(unread, PRESENT, START), "Complete") == ("Unknown", "NotRead")


def test_simulated_gpus_are_not_missed_on_real_hardware(node: NodeHardware) -> None:
    before = {**dump(node_status(facts(node), PRESENT, START)), "simulated": False}
    assert node_status(without_b(node), {**PRESENT, "status": before}, START).missing_gpus == []


def test_a_status_that_cannot_be_read_is_written_anew(node: NodeHardware) -> None:
    broken = {**PRESENT, "status": {"gpus": "eight"}}
    assert node_status(facts(node), broken, START) == node_status(facts(node), PRESENT, START)


def test_the_fingerprint_changes_with_modes_and_health_only(node: NodeHardware) -> None:
    first = node.gpus[0]
    sick = replace(first, partitions=(replace(first.partitions[0], healthy=False), *first.partitions[1:]))
    moded = replace(first, mode=mode("CPX/NPS1"))
    known = fingerprint(node)
    assert fingerprint(replace(node, gpus=(sick, *node.gpus[1:]))) != known
    assert fingerprint(replace(node, gpus=(moded, *node.gpus[1:]))) != known
    assert fingerprint(replace(node, driver_version="7.0.0")) != known
    assert fingerprint(replace(node)) == known


async def test_gpus_that_xgmi_links_have_one_number_and_it_is_absent_where_nobody_tells(node: NodeHardware) -> None:
    linked = dump(node_status(facts(node), PRESENT, START))
    assert [gpu["xgmiHive"] for gpu in linked["gpus"]] == [0, 0]
    untold = replace(node, gpus=tuple(replace(gpu, hive=None) for gpu in node.gpus))
    alone = dump(node_status(facts(untold), PRESENT, START))
    assert not any("xgmiHive" in gpu for gpu in alone["gpus"])
