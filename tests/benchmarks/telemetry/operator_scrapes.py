"""What a scrape of the operator costs in a large cluster: the first one, which looks at every node, those after changes,
and how long one of them holds the event loop at most.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, Final

from api.object import dump
from controller.entrypoints.operator_metrics import OperatorMetrics
from controller.placement.expectation import Known
from controller.placement.scheduler import ModelScheduler
from controller.telemetry.metrics import Metrics
from tests.benchmarks.placement.large_cluster import large_cluster
from tests.benchmarks.telemetry.scraping import longest_hold, series_of
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.inference_service import inference_service

#: Between two scrapes so many nodes get, or lose, a claim: about what a busy cluster does in 15 s.
CHANGED_NODES: Final = 20
_SHAPES: Final = 40
_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class OperatorScrapes:
    """Milliseconds. `cpu` and `wall` have one for each scrape but the first; `longest_hold`: of the event loop, in
    processor time."""

    first_cpu: float
    cpu: Sequence[float]
    wall: Sequence[float]
    longest_hold: float
    series: int
    bytes: int


async def operator_scrapes(
    nodes: int = 1_000, services: int = 1_000, claims_a_node: int = 16, scrapes: int = 20
) -> OperatorScrapes:
    """Scrape an operator that leads: nodes of 64 partitions each, services with conditions and two objectives."""
    fed = _filled(nodes, services, claims_a_node)
    with closing(Metrics("operator")) as metrics:
        told = OperatorMetrics(metrics, fed.cluster, ModelScheduler.by_policy(_known), fed.clock)
        fed.cluster.snapshot()  # decisions have one anyway
        async with _leading(told):
            first, _, _ = await _scrape(metrics)
            costs = []
            for number in range(scrapes):
                _change(fed, nodes, number)
                costs.append(await _scrape(metrics))
            text = await metrics.exposition()
            hold = await longest_hold(metrics.exposition)
    return OperatorScrapes(
        first_cpu=first,
        cpu=[cpu for cpu, _, _ in costs],
        wall=[wall for _, wall, _ in costs],
        longest_hold=hold,
        series=series_of(text),
        bytes=len(text),
    )


async def _scrape(metrics: Metrics) -> tuple[float, float, int]:
    cpu, wall = time.process_time(), time.perf_counter()
    size = len(await metrics.exposition())
    return (time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3, size


@asynccontextmanager
async def _leading(told: OperatorMetrics) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(told.run())
        await asyncio.sleep(0)
        yield
        task.cancel()


def _filled(nodes: int, services: int, claims_a_node: int) -> FedCluster:
    fed = large_cluster(nodes, 0)
    placed = [
        bound_claim(f"aim-{node:05}-{number}", f"worker-{node:05}", number // 8, number % 8, phase="Allocated")
        for node in range(nodes)
        for number in range(claims_a_node)
    ]
    fed.listed(fed.cluster.claims, *placed)
    fed.listed(fed.cluster.services, *(_service(f"chat-{number:04}") for number in range(services)))
    return fed


def _service(name: str) -> dict[str, Any]:
    windows = [
        {"window": window, "requests": 500, "attainment": "99.5", "burn": "0.25"}
        for window in ("5m", "30m", "1h", "6h", "72h", "720h")
    ]
    slo = [
        {
            "metric": metric,
            "percentile": "p99",
            "threshold": "1s",
            "needed": "98",
            "budgetLeft": "75",
            "windows": windows,
        }
        for metric in ("queueWait", "requestLatency")
    ]
    conditions = [
        {"type": kind, "status": "True", "reason": "Fine", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for kind in ("Ready", "Allocated", "PredictorReady", "SLOMet", "Routable", "Guaranteed")
    ]
    return dump(inference_service(name, status={"slo": slo, "conditions": conditions, "readyReplicas": 1}))


def _known() -> list[Known]:
    """As many claims as a scheduler remembers, of so many shapes."""
    return [
        Known(f"uid-{number}", number, (1_000 * (1 + number % 4), (4 + 4 * (number % _SHAPES)) * _GIB, 1))
        for number in range(2_000)
    ]


def _change(fed: FedCluster, nodes: int, number: int) -> None:
    for each in range(min(CHANGED_NODES, nodes)):
        node = f"worker-{(number * CHANGED_NODES + each) % nodes:05}"
        fed.put(fed.cluster.claims, bound_claim(f"aim-new-{node}", node, 7, number % 8, phase="Allocated"))
