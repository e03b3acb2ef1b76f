import pytest

from api.v1beta1 import GPUNode
from controller.binding.device_plugin import Naming
from controller.gpu.mode import Mode
from controller.placement.demand import Resources
from controller.placement.snapshot import Taint
from controller.runtime.objects.metadata import Condition, ObjectMeta
from controller.runtime.objects.node import Node, NodeStatus
from controller.translate.node import gpus, host_view, modes, under_resources
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import typed_node


def test_what_a_node_says() -> None:
    made = typed_node(
        "worker-0",
        labels={"zone": "north"},
        taints=[{"key": "amd", "effect": "NoSchedule"}],
        unschedulable=True,
        allocatable={"cpu": "7910m", "memory": "1Gi", "pods": "110"},
    )
    view = host_view(made)
    assert (view.name, view.uid, view.hostname, view.labels["zone"]) == (
        "worker-0",
        "uid-worker-0",
        "worker-0",
        "north",
    )
    assert view.taints == (Taint("amd", "", "NoSchedule"),)
    assert (view.ready, view.unschedulable) == (True, True)
    assert view.allocatable == Resources(7910, 1 << 30, 110)


def test_the_taint_of_a_change_keeps_no_pod_of_ours_away() -> None:
    ours = {"key": "aim.amd.com/repartitioning", "value": "plan-1", "effect": "NoSchedule"}
    view = host_view(typed_node(taints=[{"key": "amd", "effect": "NoSchedule"}, ours]))
    assert (view.taints, view.repartitioned_by) == ((Taint("amd", "", "NoSchedule"),), "plan-1")
    assert host_view(typed_node(taints=[ours | {"effect": "NoExecute"}])).repartitioned_by is None


def test_a_node_that_says_little_offers_nothing() -> None:
    view = host_view(Node(metadata=ObjectMeta(name="worker-0", uid="u")))
    assert (view.hostname, view.ready, view.unschedulable, view.taints) == (None, False, False, ())
    assert view.allocatable == Resources()


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_only_true_is_ready(status: str) -> None:
    conditions = (Condition(type="MemoryPressure", status="True"), Condition(type="Ready", status=status))
    made = Node(metadata=ObjectMeta(name="worker-0"), status=NodeStatus(conditions=conditions))
    assert not host_view(made).ready


def test_the_inventory_is_read_back_as_it_was_reported() -> None:
    reported = (gpu(0, "CPX/NPS4", unhealthy=[3]), gpu(1, "DPX/NPS2"))
    assert gpus(GPUNode.model_validate(gpu_node("worker-0", *reported))) == reported


def test_a_gpu_whose_mode_cannot_be_read_is_left_out() -> None:
    made = gpu_node("worker-0", gpu(0), gpu(1, "SPX/NPS1"))
    del made["status"]["gpus"][0]["mode"]
    assert modes(GPUNode.model_validate(made)) == {bdf(1): Mode.parse("SPX/NPS1")}


def test_partitions_in_quarantine_are_marked() -> None:
    made = gpu_node("worker-0", gpu(0), gpu(1))
    made["spec"]["quarantine"] = [{"bdf": bdf(1), "partition": 3, "reason": "errors of memory"}]
    first, second = gpus(GPUNode.model_validate(made))
    assert [partition.id.index for partition in second.partitions if partition.quarantined] == [3]
    assert all(partition.healthy for partition in second.partitions)
    assert not any(partition.quarantined for partition in first.partitions)


def test_in_another_mode_than_the_quarantines_the_whole_gpu_is_marked() -> None:
    made = gpu_node("worker-0", gpu(0), gpu(1))
    made["spec"]["quarantine"] = [{"bdf": bdf(1), "partition": 0, "mode": "SPX/NPS1"}]
    first, second = gpus(GPUNode.model_validate(made))
    assert all(partition.quarantined for partition in second.partitions)
    assert not any(partition.quarantined for partition in first.partitions)


@pytest.mark.parametrize(("status", "want"), [("True", True), ("Unknown", True), ("False", False)])
def test_hardware_that_contradicts_itself_is_not_healthy(status: str, want: bool) -> None:
    made = gpu_node("worker-0", gpu(0))
    made["status"]["conditions"] = [
        {"type": "Consistent", "status": status, "reason": "Compared", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    ]
    (found,) = gpus(GPUNode.model_validate(made))
    assert {partition.healthy for partition in found.partitions} == {want}


def test_devices_of_the_plugin_are_counted_and_nothing_else() -> None:
    made = typed_node(allocatable={"cpu": "8", "amd.com/cpx_nps4": "8", "amd.com/gpu": "0", "amd.com/npu": "1"})
    assert host_view(made).devices == {"amd.com/cpx_nps4": 8, "amd.com/gpu": 0}


@pytest.mark.parametrize(
    ("naming", "want"),
    [
        pytest.param(Naming.SINGLE, {"amd.com/gpu"}, id="single"),
        pytest.param(Naming.MIXED, {"amd.com/cpx_nps4", "amd.com/dpx_nps2"}, id="mixed"),
    ],
)
def test_partitions_bear_the_names_of_the_plugin(naming: Naming, want: set[str]) -> None:
    named = under_resources([gpu(0, "CPX/NPS4"), gpu(1, "DPX/NPS2")], naming)
    assert {partition.resource for each in named for partition in each.partitions} == want


def test_gpus_that_xgmi_links_are_of_one_hive_and_of_none_where_nobody_told() -> None:
    reported = gpus(GPUNode.model_validate(gpu_node("worker-0", gpu(0, hive=1), gpu(1, hive=1), gpu(2))))
    assert [each.hive for each in reported] == [1, 1, None]
