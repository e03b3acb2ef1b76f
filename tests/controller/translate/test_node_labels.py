from typing import Any

import pytest

from api.v1beta1 import GPUNode
from controller.placement.snapshot import Gpu
from controller.translate.node_labels import WRITTEN_ANNOTATION, label_change, wanted_labels
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node

SCHEME = "feature.node.kubernetes.io/aim-accelerator.partitioning-scheme."
OURS = {"aim.amd.com/gpu.product": "MI300X", "aim.amd.com/gpu.mode": "CPX-NPS4", "aim.amd.com/gpu.count": "1"}


def node(*gpus: Gpu, simulated: bool = False, **status: Any) -> GPUNode:
    reported = gpu_node("worker-0", *gpus)
    return GPUNode.model_validate(reported | {"status": reported["status"] | {"simulated": simulated} | status})


def with_gpu(reported: GPUNode, number: int, **fields: Any) -> GPUNode:
    """The same, with other fields of one GPU."""
    gpus = list(reported.status.gpus)
    gpus[number] = gpus[number].model_copy(update=fields)
    return reported.model_copy(update={"status": reported.status.model_copy(update={"gpus": gpus})})


def schemes(*gpus: Gpu) -> dict[str, str]:
    """aim-engine's labels, without their prefix."""
    found = wanted_labels(node(*gpus))
    return {key.removeprefix(SCHEME): value for key, value in found.items() if key.startswith(SCHEME)}


def test_a_node_in_one_mode_says_so_in_our_words() -> None:
    wanted = wanted_labels(node(gpu(0), gpu(1)))
    assert {key: value for key, value in wanted.items() if key.startswith("aim.amd.com/")} == {
        "aim.amd.com/gpu.product": "MI300X",
        "aim.amd.com/gpu.mode": "CPX-NPS4",
        "aim.amd.com/gpu.count": "2",
        "aim.amd.com/gpu.partitions": "16",
    }


def test_gpus_in_different_modes_are_mixed_and_different_products_have_no_name() -> None:
    wanted = wanted_labels(node(gpu(0, "DPX/NPS1"), gpu(1, "SPX/NPS1", product="MI325X")))
    assert wanted["aim.amd.com/gpu.mode"] == "mixed"
    assert "aim.amd.com/gpu.product" not in wanted


@pytest.mark.parametrize(
    ("gpus", "want"),
    [
        pytest.param((gpu(0), gpu(1)), {"CPX-NPS4": "16"}, id="partitioned"),
        pytest.param((gpu(0, "SPX/NPS1"),), {"default": "1", "SPX-NPS1": "1"}, id="whole GPUs of one that could be"),
        pytest.param((gpu(0, "SPX/NPS1", product="MI210"),), {"default": "1"}, id="a product without partitions"),
        pytest.param(
            (gpu(0, "SPX/NPS1"), gpu(1, "CPX/NPS1")),
            {"default": "1", "SPX-NPS1": "1", "CPX-NPS1": "8"},
            id="some of each",
        ),
    ],
)
def test_aim_engine_reads_units_by_scheme(gpus: tuple[Gpu, ...], want: dict[str, str]) -> None:
    assert schemes(*gpus) == want


def test_amd_labels_are_written_on_simulated_nodes_only() -> None:
    assert not [key for key in wanted_labels(node(gpu())) if key.startswith("amd.com/")]
    wanted = wanted_labels(node(gpu(), simulated=True, driver={"version": "6.12.12"}))
    assert {key.removeprefix("amd.com/gpu."): value for key, value in wanted.items() if key.startswith("amd.com/")} == {
        "family": "AI",
        "device-id": "74a1",
        "product-name": "AMD_Instinct_MI300X",
        "driver-version": "6.12.12",
        "vram": "24G",
        "cu-count": "38",
        "simd-count": "152",
        "compute-memory-partition": "cpx_nps4",
        "compute-partitioning-supported": "true",
        "memory-partitioning-supported": "true",
    }


def test_amd_labeller_counts_what_differs_and_names_no_common_mode() -> None:
    wanted = wanted_labels(node(gpu(0, "SPX/NPS1"), gpu(1, "DPX/NPS1"), simulated=True))
    assert (wanted["amd.com/gpu.vram.192G"], wanted["amd.com/gpu.vram.96G"]) == ("1", "2")
    assert "amd.com/gpu.vram" not in wanted
    assert "amd.com/gpu.compute-memory-partition" not in wanted


def test_a_product_that_no_table_has_is_written_as_a_label_may_be() -> None:
    wanted = wanted_labels(with_gpu(node(gpu(), simulated=True), 0, product="unknown (0x1234)"))
    assert wanted["aim.amd.com/gpu.product"] == "unknown__0x1234"
    assert "amd.com/gpu.device-id" not in wanted


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(GPUNode.model_validate(gpu_node() | {"status": {}}), id="no report yet"),
        pytest.param(GPUNode.model_validate(gpu_node(managed=False)), id="not managed"),
    ],
)
def test_nothing_is_said_of_a_node_that_is_not_known_or_not_ours(silent: GPUNode) -> None:
    assert wanted_labels(silent) == {}


def test_a_gpu_whose_mode_cannot_be_read_is_counted_and_its_partitions_are_not() -> None:
    half = wanted_labels(with_gpu(node(gpu(0), gpu(1)), 1, mode=None))
    assert (half["aim.amd.com/gpu.count"], half["aim.amd.com/gpu.partitions"]) == ("2", "8")
    assert half[f"{SCHEME}CPX-NPS4"] == "8"
    assert "aim.amd.com/gpu.mode" not in half


def test_where_no_mode_can_be_read_product_and_count_are_known_all_the_same() -> None:
    unread = wanted_labels(with_gpu(node(gpu()), 0, mode=None))
    assert unread == {"aim.amd.com/gpu.product": "MI300X", "aim.amd.com/gpu.count": "1"}


def written(*keys: str) -> dict[str, str]:
    return {WRITTEN_ANNOTATION: ",".join(sorted(keys))}


def test_all_labels_are_written_first_and_remembered() -> None:
    change = label_change(OURS, {}, {})
    assert change is not None
    assert (dict(change.labels), change.written) == (OURS, ",".join(sorted(OURS)))


def test_nothing_is_patched_when_all_is_as_it_should_be() -> None:
    assert label_change(OURS, OURS, written(*OURS)) is None
    assert label_change({}, {"kubernetes.io/os": "linux"}, {}) is None


def test_only_what_differs_is_patched() -> None:
    mode = "aim.amd.com/gpu.mode"
    change = label_change(OURS, OURS | {mode: "SPX-NPS1"}, written(*OURS))
    assert change is not None
    assert dict(change.labels) == {mode: "CPX-NPS4"}


def test_what_we_wrote_is_taken_back_and_nothing_else() -> None:
    old = f"{SCHEME}SPX-NPS1"
    theirs = {f"{SCHEME}default": "8", "amd.com/gpu.family": "AI"}
    change = label_change({}, OURS | {old: "8"} | theirs, written(old, *OURS))
    assert change is not None
    assert dict(change.labels) == dict.fromkeys((old, *OURS))
    assert change.written is None


def test_a_label_that_somebody_else_wrote_rightly_stays_theirs() -> None:
    scheme = f"{SCHEME}CPX-NPS4"
    assert label_change({scheme: "64"}, {scheme: "64"}, {}) is None
    change = label_change({scheme: "64"}, {scheme: "32"}, {})
    assert change is not None
    assert (dict(change.labels), change.written) == ({scheme: "64"}, scheme)


def test_a_label_of_ours_that_somebody_took_off_comes_back() -> None:
    change = label_change(OURS, {}, written(*OURS))
    assert change is not None
    assert dict(change.labels) == OURS
