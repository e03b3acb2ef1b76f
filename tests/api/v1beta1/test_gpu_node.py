"""The one-line summary of a node."""

from typing import Any

import pytest

from api.v1beta1.gpu_layout import summarise_modes
from api.v1beta1.gpu_node import GPU, NodeSummary
from api.v1beta1.quarantine import Quarantine, taken_out


def gpu(index: int, mode: str, *partitions: dict[str, Any]) -> GPU:
    listed = [{"id": i, "renderIndex": 128 + i, "bytes": 1, **part} for i, part in enumerate(partitions)]
    return GPU.model_validate({"bdf": f"0000:{index:02x}:00.0", "mode": mode, "partitions": listed})


def test_free_counts_healthy_partitions_that_nobody_holds() -> None:
    gpus = [
        gpu(5, "DPX/NPS1", {}, {"holder": "ours"}),
        gpu(6, "DPX/NPS1", {"health": "Unhealthy"}, {"holder": "foreign"}),
    ]
    assert NodeSummary.of(gpus) == NodeSummary(
        gpus=2, partitions=4, free=1, modes="2xDPX/NPS1", problems="unhealthy: 1"
    )


def test_what_nobody_can_get_is_not_free_and_stands_among_the_problems() -> None:
    unread = gpu(6, "SPX/NPS1", {}).model_copy(update={"mode": None})
    short = gpu(7, "DPX/NPS1", {"bytes": 0}).model_copy(update={"missing_partitions": 1})
    found = NodeSummary.of([gpu(5, "DPX/NPS1", {}, {}), unread, short], [entry(5, 1)], missing_gpus=1)
    assert (found.partitions, found.free) == (4, 1)
    want = "in quarantine: 1, not shown by the driver: 1, GPUs without a mode: 1, GPUs missing: 1"
    assert found.problems == want


def entry(index: int, partition: int, mode: str | None = None) -> Quarantine:
    return Quarantine(bdf=f"0000:{index:02x}:00.0", partition=partition, mode=mode)


@pytest.mark.parametrize(
    ("listed", "want"),
    [
        pytest.param(entry(5, 1, "DPX/NPS1"), {1}, id="in the mode of the entry that partition"),
        pytest.param(entry(5, 0, "SPX/NPS1"), {0, 1}, id="in another mode the whole GPU"),
        pytest.param(entry(5, 7, "CPX/NPS4"), {0, 1}, id="also when it has no such partition"),
        pytest.param(entry(5, 1), {1}, id="an entry without a mode names a partition of any"),
        pytest.param(entry(5, 7), {0, 1}, id="and without such a partition the whole GPU"),
        pytest.param(entry(6, 0, "SPX/NPS1"), set(), id="another GPU"),
    ],
)
def test_an_entry_outlives_a_change_of_modes(listed: Quarantine, want: set[int]) -> None:
    assert taken_out([listed], "0000:05:00.0", "DPX/NPS1", [0, 1]) == want


def test_modes_stand_in_order_of_frequency_then_name() -> None:
    assert summarise_modes(["SPX/NPS1", "CPX/NPS1", "DPX/NPS1", "CPX/NPS1"]) == "2xCPX/NPS1,1xDPX/NPS1,1xSPX/NPS1"
    assert summarise_modes([]) == ""
