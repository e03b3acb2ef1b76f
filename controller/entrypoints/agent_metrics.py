"""The agent's metrics: measured when they are collected, for every node of the process, and told from records.

collection -> each node measured, at once and within a limit -> NodeFigures -> rows of every metric
what a node's agent reports -> NodeLedger -> accounts of use and counters
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Protocol, TypeVar

from opentelemetry.metrics import Counter

from api.v1beta1.gpu_node import OperationPhase
from controller.agent.operation import ENDED
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
from controller.exporter.partition_metrics import Row, health_rows, memory_rows, utilization_rows
from controller.exporter.use_for_charging import UseForCharging
from controller.gpu.figures import Holding, NodeFigures
from controller.runtime.clock import Clock
from controller.telemetry.instruments import (
    AGENT_HARDWARE_READABLE,
    AGENT_INFO,
    GPU_ECC_ERRORS,
    GPU_INFO,
    GPU_PARTITIONS_MISSING,
    GPU_POWER,
    GPU_PROCESSES,
    GPU_TEMPERATURE,
    PARTITION_HEALTH,
    PARTITION_MEMORY,
    PARTITION_UTILIZATION,
    USAGE_BYTE_SECONDS,
    USAGE_PARTITION_SECONDS,
)
from controller.telemetry.metrics import Metrics

_T = TypeVar("_T")


class Measured(Protocol):
    """A node whose agent can be asked what its GPUs do."""

    async def measure(self) -> NodeFigures | None:
        """The node as it is now, within a limit of its own; None while no agent runs."""
        ...


class NodeLedger:
    """What is counted of one node, whichever agent serves it."""

    def __init__(self, node: str, operations: Counter, clock: Clock) -> None:
        self._node = node
        self._operations = operations
        self._clock = clock
        self.use = UseForCharging(node)
        for phase in sorted(ENDED):
            operations.add(0, {"node": node, "result": phase.value})

    def hold(self, holdings: Iterable[Holding]) -> None:
        """These are who holds partitions from now on."""
        self.use.hold(self._clock.monotonic(), holdings)

    def operation_ended(self, phase: OperationPhase) -> None:
        """An operation has come to an end."""
        self._operations.add(1, {"node": self._node, "result": phase.value})

    def collect(self) -> None:
        """Count the use until now, to tell it."""
        self.use.collect(self._clock.monotonic())


class AgentMetrics:
    """Tells `metrics` of every node. `nodes` and `ledgers` are those of the process, one of each a node."""

    def __init__(self, metrics: Metrics, nodes: Sequence[Measured], ledgers: Sequence[NodeLedger]) -> None:
        self._nodes = nodes
        self._ledgers = ledgers
        self._figures: tuple[NodeFigures, ...] = ()
        metrics.before_collection(self.measure)
        self._observe(metrics)

    async def measure(self) -> None:
        """Measure the nodes, one after another: hardware is one node, and many simulated ones are to hold nobody up.

        Failed or cancelled, those are known that were measured by then. Until its end the last measurement stands, as
        some other collection may be reading it.
        """
        measured: list[NodeFigures] = []
        try:
            for ledger in self._ledgers:
                ledger.collect()
            for node in self._nodes:
                figures = await node.measure()
                if figures is not None:
                    measured.append(figures)
                await asyncio.sleep(0)
        finally:
            self._figures = tuple(measured)

    def _observe(self, metrics: Metrics) -> None:
        metrics.observe(AGENT_INFO, lambda: agent_rows(self._figures))
        metrics.observe(AGENT_HARDWARE_READABLE, lambda: readable_rows(self._figures))
        for instrument, of_gpus in (
            (GPU_INFO, info_rows),
            (GPU_TEMPERATURE, temperature_rows),
            (GPU_POWER, power_rows),
            (GPU_ECC_ERRORS, error_rows),
            (GPU_PROCESSES, process_rows),
            (GPU_PARTITIONS_MISSING, missing_rows),
        ):
            metrics.observe(instrument, self._rows(of_gpus, lambda node: node.gpus))
        for instrument, of_partitions in (
            (PARTITION_MEMORY, memory_rows),
            (PARTITION_UTILIZATION, utilization_rows),
            (PARTITION_HEALTH, health_rows),
        ):
            metrics.observe(instrument, self._rows(of_partitions, lambda node: node.partitions))
        metrics.observe(
            USAGE_PARTITION_SECONDS, lambda: chain.from_iterable(one.use.partition_rows() for one in self._ledgers)
        )
        metrics.observe(USAGE_BYTE_SECONDS, lambda: chain.from_iterable(one.use.byte_rows() for one in self._ledgers))

    def _rows(
        self, rows: Callable[[Iterable[_T]], Iterable[Row]], of: Callable[[NodeFigures], Iterable[_T]]
    ) -> Callable[[], Iterable[Row]]:
        return lambda: rows(chain.from_iterable(map(of, self._figures)))
