import pytest

from api.v1beta1 import GPUNode, GPUSharingPolicy
from controller.gpu.product import PRODUCTS
from controller.sizing.precision import Precision
from controller.webhooks.hardware import (
    GPUS_A_SERVER,
    Wanted,
    could_hold,
    managed_nodes,
    possible_modes,
    reach,
    servers_could_hold,
)
from tests.builders.gpu import GIB, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.policy import policy_object
from tests.controller.webhooks.ground import Ground

CPX = gpu(mode="CPX/NPS1", allowed=["SPX/NPS1", "DPX/NPS1", "CPX/NPS1"], validated=["SPX/NPS1"])

MODES = [
    pytest.param(None, {"SPX/NPS1", "DPX/NPS1", "CPX/NPS1"}, id="no policy: whatever a person may do by hand"),
    pytest.param({"validatedOnly": False}, {"SPX/NPS1", "DPX/NPS1", "CPX/NPS1"}, id="a policy that allows all"),
    pytest.param({}, {"SPX/NPS1", "CPX/NPS1"}, id="validated ones, and the mode it is in"),
    pytest.param({"allowedModes": ["SPX/NPS1", "QPX/NPS1"]}, {"SPX/NPS1"}, id="a list, without the mode it is in"),
    pytest.param({"allowedModes": ["DPX/NPS1"]}, set(), id="a list of what is not validated"),
]


@pytest.mark.parametrize(("spec", "want"), MODES)
def test_modes_a_gpu_may_have(spec: dict[str, object] | None, want: set[str]) -> None:
    policy = None if spec is None else GPUSharingPolicy.model_validate(policy_object(**spec))  # type: ignore[arg-type]
    (reported,) = GPUNode.model_validate(gpu_node("n", CPX)).status.gpus
    assert possible_modes(reported, policy) == want


def test_each_mode_has_the_largest_partition_of_all_products() -> None:
    ground = Ground(nodes={"a": [gpu()], "b": [gpu(product="MI325X", mode="SPX/NPS1")], "c": []})
    found = reach(managed_nodes(ground.cluster))
    assert (found["SPX/NPS1"].product, found["SPX/NPS1"].bytes // GIB) == ("MI325X", 255)
    assert found["CPX/NPS4"].bytes // GIB == 31
    assert set(found) == {"SPX/NPS1", "DPX/NPS1", "DPX/NPS2", "QPX/NPS1", "QPX/NPS4", "CPX/NPS1", "CPX/NPS4"}


def test_a_product_that_nobody_knows_is_given_the_benefit_of_the_doubt() -> None:
    raw = gpu_node("n", gpu())
    raw["status"]["gpus"][0] |= {"product": "MI999X", "vramBytes": 500 * GIB}
    ground = Ground(nodes={"n": [gpu()]})
    ground.fed.put(ground.cluster.gpu_nodes, raw)
    found = reach(managed_nodes(ground.cluster))
    assert found["SPX/NPS1"].bytes == 500 * GIB
    assert found["CPX/NPS4"].bytes // GIB == 23, "what the agent reported stands"


def test_only_managed_nodes_that_exist_count() -> None:
    ground = Ground(nodes={"a": [gpu()], "b": [gpu()]})
    ground.fed.put(ground.cluster.gpu_nodes, gpu_node("b", managed=False))
    ground.fed.put(ground.cluster.gpu_nodes, gpu_node("gone"))
    assert [node.name for node in managed_nodes(ground.cluster)] == ["a"]


@pytest.mark.parametrize(
    ("wanted", "want"),
    [
        pytest.param(Wanted(150 * GIB, 2, Precision.FP8), True, id="a whole GPU each"),
        pytest.param(Wanted(150 * GIB, 3, Precision.FP8), False, id="not of two nodes together"),
        pytest.param(Wanted(20 * GIB, 16, Precision.FP8), True, id="all partitions of a node"),
        pytest.param(Wanted(20 * GIB, 3, Precision.FP8, "SPX/NPS1"), False, id="in the one mode"),
    ],
)
def test_partitions_of_one_pod_are_those_of_one_node(wanted: Wanted, want: bool) -> None:
    ground = Ground(nodes={"a": [gpu(0), gpu(1)], "b": [gpu(0), gpu(1)]})
    assert could_hold(managed_nodes(ground.cluster), wanted) == want


def test_a_server_to_come_has_eight_gpus_of_a_product_that_serves_the_precision() -> None:
    old, new = PRODUCTS["MI210"], PRODUCTS["MI300X"]
    assert servers_could_hold([new], Wanted(150 * GIB, GPUS_A_SERVER, Precision.FP8))
    assert not servers_could_hold([new], Wanted(150 * GIB, GPUS_A_SERVER + 1, Precision.FP8))
    assert servers_could_hold([old], Wanted(60 * GIB, 1, Precision.BF16))
    assert not servers_could_hold([old], Wanted(60 * GIB, 1, Precision.FP8))
