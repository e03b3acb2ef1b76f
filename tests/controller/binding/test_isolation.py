import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.binding.isolation import HIGHEST_UTILIZATION, OUTSIDE_BUDGET_BYTES, Isolation, ResourceIsolator
from controller.gpu.mode import Mode
from controller.gpu.product import PRODUCTS

GIB = 1 << 30
ISOLATOR = ResourceIsolator()


@pytest.mark.parametrize(
    ("mode", "want"),
    [
        ("SPX/NPS1", Isolation.WHOLE_GPU),
        ("DPX/NPS1", Isolation.COMPUTE),
        ("DPX/NPS2", Isolation.COMPUTE_AND_BANDWIDTH),
        ("QPX/NPS1", Isolation.COMPUTE),
        ("QPX/NPS2", Isolation.COMPUTE),
        ("QPX/NPS4", Isolation.COMPUTE_AND_BANDWIDTH),
        ("CPX/NPS1", Isolation.COMPUTE),
        ("CPX/NPS4", Isolation.COMPUTE),
    ],
)
def test_the_label_claims_bandwidth_only_with_a_memory_domain_of_its_own(mode: str, want: Isolation) -> None:
    assert ISOLATOR.isolation(Mode.parse(mode)) is want


@pytest.mark.parametrize("product", sorted(PRODUCTS))
def test_partitions_that_share_a_memory_range_are_never_said_to_own_one(product: str) -> None:
    for mode in PRODUCTS[product].allowed:
        if PRODUCTS[product].partition_count(mode.compute) > mode.memory.ranges:
            assert ISOLATOR.isolation(mode) is Isolation.COMPUTE


@given(st.integers(2 * GIB, 300 * GIB))
def test_the_engines_budget_leaves_what_it_uses_besides(partition: int) -> None:
    share = ISOLATOR.memory_utilization(partition)
    assert 0 <= share <= HIGHEST_UTILIZATION
    assert share * partition <= partition - OUTSIDE_BUDGET_BYTES + 1
    assert round(share, 2) == share


@pytest.mark.parametrize(
    ("partition", "want"),
    [
        pytest.param(24574 << 20, 0.93, id="an eighth of an MI300X"),
        pytest.param(196592 << 20, 0.95, id="a whole one is capped"),
        pytest.param(GIB, 0.0, id="smaller than what the engine needs besides"),
    ],
)
def test_shares(partition: int, want: float) -> None:
    assert ISOLATOR.memory_utilization(partition) == want


def test_engine_arguments_are_one_json_object_in_one_order() -> None:
    text = ISOLATOR.engine_arguments(24574 << 20, 8192, 4)
    want = {
        "gpu-memory-utilization": 0.93,
        "max-model-len": 8192,
        "max-num-seqs": 4,
        "scheduling-policy": "priority",
        "tensor-parallel-size": 1,
    }
    assert json.loads(text) == want
    assert list(json.loads(text)) == sorted(want)
    assert " " not in text


def test_an_engine_that_is_to_quantize_is_told_so() -> None:
    assert json.loads(ISOLATOR.engine_arguments(24574 << 20, 8192, 4, quantization="fp8"))["quantization"] == "fp8"
