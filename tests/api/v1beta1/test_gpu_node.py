"""The one-line summary of a node."""

from typing import Any

from api.v1beta1.gpu_layout import summarise_modes
from api.v1beta1.gpu_node import GPU, NodeSummary


def gpu(index: int, mode: str, *partitions: dict[str, Any]) -> GPU:
    listed = [{"id": i, "renderIndex": 128 + i, "bytes": 1, **part} for i, part in enumerate(partitions)]
    return GPU.model_validate({"bdf": f"0000:{index:02x}:00.0", "mode": mode, "partitions": listed})


def test_free_counts_healthy_partitions_that_nobody_holds() -> None:
    gpus = [
        gpu(5, "DPX/NPS1", {}, {"holder": "ours"}),
        gpu(6, "DPX/NPS1", {"health": "Unhealthy"}, {"holder": "foreign"}),
    ]
    assert NodeSummary.of(gpus) == NodeSummary(gpus=2, partitions=4, free=1, modes="2xDPX/NPS1")


def test_modes_stand_in_order_of_frequency_then_name() -> None:
    assert summarise_modes(["SPX/NPS1", "CPX/NPS1", "DPX/NPS1", "CPX/NPS1"]) == "2xCPX/NPS1,1xDPX/NPS1,1xSPX/NPS1"
    assert summarise_modes([]) == ""
