"""Equal parts of inventories are one, and an inventory reads as it did."""

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from api.v1beta1 import GPUNode
from controller.state.inventories import Inventories
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node


def node(name: str, *, errors: int = 0, mode: str = "CPX/NPS4") -> dict[str, Any]:
    """A node of one GPU, every part of it a copy of its own."""
    made = copy.deepcopy(gpu_node(name, gpu(0, mode)))
    made["status"]["gpus"][0]["ecc"] = {"correctable": errors}
    return made


def test_what_is_kept_and_read_is_what_was_reported() -> None:
    shared, reported = Inventories(), node("worker-0")
    kept = shared.share(copy.deepcopy(reported))
    assert kept == reported
    assert shared.read(kept) == GPUNode.model_validate(reported)


def test_nodes_with_the_same_gpus_share_them() -> None:
    shared = Inventories()
    one, other = (shared.share(node(name)) for name in ("worker-0", "worker-1"))
    assert one["status"]["gpus"][0] is other["status"]["gpus"][0]
    assert shared.read(one).status.gpus[0] is shared.read(other).status.gpus[0]


def test_gpus_that_differ_in_a_count_share_their_partitions() -> None:
    shared = Inventories()
    one, other = (shared.share(node("worker-0", errors=errors)) for errors in (1, 2))
    first, second = (shared.read(kept).status.gpus[0] for kept in (one, other))
    assert (first.ecc, second.ecc) != (first.ecc, first.ecc)
    assert one["status"]["gpus"][0]["partitions"][3] is other["status"]["gpus"][0]["partitions"][3]
    assert first.partitions[3] is second.partitions[3]


def test_a_gpu_in_another_mode_is_another_one() -> None:
    shared = Inventories()
    assert [
        shared.read(shared.share(node("worker-0", mode=mode))).status.gpus[0].mode for mode in ("CPX/NPS4", "SPX/NPS1")
    ] == ["CPX/NPS4", "SPX/NPS1"]


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="no GPUs"),
        pytest.param({"gpus": None}, id="null"),
        pytest.param({"gpus": []}, id="an empty list"),
        pytest.param({"gpus": [{"bdf": "0000:01:00.0", "partitions": None}]}, id="a GPU without partitions"),
    ],
)
def test_an_inventory_of_nothing_reads_as_it_did(status: dict[str, Any] | None) -> None:
    shared, reported = Inventories(), node("worker-0") | {"status": status}
    assert shared.read(shared.share(copy.deepcopy(reported))) == GPUNode.model_validate(reported)


@pytest.mark.parametrize("broken", [{"gpus": "none"}, {"gpus": ["none"]}, {"gpus": [{"bdf": 3}]}, "none"])
def test_what_is_not_understood_is_refused_as_it_was(broken: Any) -> None:
    shared, reported = Inventories(), node("worker-0") | {"status": broken}
    with pytest.raises(ValidationError):
        GPUNode.model_validate(reported)
    with pytest.raises(ValidationError):
        shared.read(shared.share(reported))


def test_the_table_starts_over_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.state.inventories._MOST", 4)
    shared = Inventories()
    read = [shared.read(shared.share(node(f"worker-{count}", errors=count))) for count in range(20)]
    assert [one.status.gpus[0].ecc.correctable for one in read if one.status.gpus[0].ecc] == list(range(20))
