from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from controller.exporter.gpu_metrics import (
    agent_rows,
    error_rows,
    info_rows,
    missing_rows,
    power_rows,
    process_rows,
    readable_rows,
    temperature_rows,
)
from controller.exporter.partition_metrics import Row
from controller.gpu.figures import GpuFigures, NodeFigures
from controller.runtime.instrument import Instrument
from controller.telemetry import instruments

A, B = "0000:05:00.0", "0000:27:00.0"
TOLD = GpuFigures(
    "node-0",
    A,
    "MI300X",
    "CPX/NPS4",
    missing_partitions=1,
    processes=2,
    power_watts=412.0,
    temperatures={"memory": 55.5, "hotspot": 61.0},
    errors={"uncorrectable": 1, "correctable": 3, "deferred": 2},
)
UNTOLD = GpuFigures("node-0", B, "MI300X", "", missing_partitions=0)
WHERE = {"node": "node-0", "gpu": A}

ROWS = [
    pytest.param(instruments.GPU_INFO, info_rows, [(WHERE | {"product": "MI300X", "mode": "CPX/NPS4"}, 1)], id="info"),
    pytest.param(
        instruments.GPU_TEMPERATURE,
        temperature_rows,
        [(WHERE | {"sensor": "hotspot"}, 61.0), (WHERE | {"sensor": "memory"}, 55.5)],
        id="temperature",
    ),
    pytest.param(instruments.GPU_POWER, power_rows, [(WHERE, 412.0)], id="power"),
    pytest.param(
        instruments.GPU_ECC_ERRORS,
        error_rows,
        [
            (WHERE | {"severity": "correctable"}, 3),
            (WHERE | {"severity": "deferred"}, 2),
            (WHERE | {"severity": "uncorrectable"}, 1),
        ],
        id="memory errors",
    ),
    pytest.param(instruments.GPU_PROCESSES, process_rows, [(WHERE, 2)], id="processes"),
    pytest.param(instruments.GPU_PARTITIONS_MISSING, missing_rows, [(WHERE, 1)], id="missing partitions"),
]


def named(instrument: Instrument, rows: Iterable[Row]) -> list[tuple[dict[str, str], float]]:
    return [(dict(zip(instrument.labels, labels, strict=True)), figure) for labels, figure in rows]


@pytest.mark.parametrize(("instrument", "rows", "want"), ROWS)
def test_a_gpu_has_a_row_for_each_figure(
    instrument: Instrument, rows: Callable[[list[GpuFigures]], Iterable[Row]], want: list[tuple[dict[str, str], float]]
) -> None:
    assert named(instrument, rows([TOLD])) == want


@pytest.mark.parametrize("rows", [temperature_rows, power_rows, error_rows, process_rows])
def test_what_a_gpu_does_not_tell_has_no_row(rows: Callable[[list[GpuFigures]], Iterable[Row]]) -> None:
    assert list(rows([UNTOLD])) == []


def test_a_gpu_that_draws_nothing_and_is_open_to_nobody_says_so() -> None:
    idle = replace(UNTOLD, power_watts=0.0, processes=0, temperatures={"memory": 0.0}, errors={"deferred": 0})
    found = [list(rows([idle])) for rows in (power_rows, process_rows, temperature_rows, error_rows)]
    assert found == [
        [(("node-0", B), 0)],
        [(("node-0", B), 0)],
        [(("node-0", B, "memory"), 0)],
        [(("node-0", B, "deferred"), 0)],
    ]


def test_every_gpu_has_a_product_and_a_count_of_missing_partitions() -> None:
    assert list(info_rows([UNTOLD])) == [(("node-0", B, "MI300X", ""), 1)]
    assert list(missing_rows([UNTOLD])) == [(("node-0", B), 0)]


def node(*, simulated: bool = False, readable: bool | None = True) -> NodeFigures:
    return NodeFigures("node-0", "amdsmi", simulated, "6.12.12", readable)


@pytest.mark.parametrize(("simulated", "want"), [(False, "false"), (True, "true")])
def test_an_agent_says_where_its_figures_come_from(simulated: bool, want: str) -> None:
    ((labels, figure),) = named(instruments.AGENT_INFO, agent_rows([node(simulated=simulated)]))
    assert labels == {"node": "node-0", "backend": "amdsmi", "simulated": want, "driver": "6.12.12"}
    assert figure == 1


@pytest.mark.parametrize(("readable", "want"), [(True, [1.0]), (False, [0.0]), (None, [])])
def test_whether_gpus_can_be_read_is_told_once_it_was_tried(readable: bool | None, want: list[float]) -> None:
    rows = named(instruments.AGENT_HARDWARE_READABLE, readable_rows([node(readable=readable)]))
    assert [figure for _, figure in rows] == want
    assert all(labels == {"node": "node-0"} for labels, _ in rows)
