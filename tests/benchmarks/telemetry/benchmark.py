"""What being watched costs: a scrape of each process at its largest, and the counting of one request.

All in this process, on simulated hardware and builders' clusters; agents over HTTP. Processor time is all threads';
by the clock a busy machine shows too.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from e2e.plane.progress import Progress
from tests.benchmarks.report import Report, Row, figure, percentile, row
from tests.benchmarks.telemetry.agent_scrapes import PARTITIONS, agent_scrapes
from tests.benchmarks.telemetry.gateway_scrapes import CLASSES, gateway_scrapes
from tests.benchmarks.telemetry.operator_scrapes import operator_scrapes
from tests.benchmarks.telemetry.request_costs import request_costs
from tests.benchmarks.telemetry.scraping import Scrapes
from tests.benchmarks.thresholds import Bound, bounds
from tests.benchmarks.words import settings_of_words

NAME: Final = "telemetry"
SCRAPE_EVERY_SECONDS: Final = 15.0
"""How often Prometheus comes as it is usually told."""
_CLIENT: Final = "prometheus_client"
_SDK: Final = "one histogram of the SDK"


@dataclass(frozen=True, slots=True)
class Settings:
    """Scrapes of each process, rounds of counting, and how large operator's and gateway's clusters are."""

    scrapes: int = 30
    rounds: int = 7
    nodes: int = 1_000
    operator_services: int = 1_000
    gateway_services: int = 500


def settings_of(data: str) -> Settings:
    """Words like `scrapes=5 nodes=10`. Raises SettingsError, naming the word and what is there."""
    return settings_of_words(Settings(), data)


def run(data: str, progress: Progress) -> Report:
    """Measure; a minute or two. Raises SettingsError."""
    settings, asked = settings_of(data), bounds(NAME)
    busy = os.getloadavg()[0]
    progress.show("agent", f"{PARTITIONS} partitions")
    agent = asyncio.run(agent_scrapes(settings.scrapes))
    progress.show("operator", f"{settings.operator_services} services")
    operator = asyncio.run(operator_scrapes(settings.nodes, settings.operator_services, scrapes=settings.scrapes))
    progress.show("gateway", f"{settings.gateway_services} services in {len(CLASSES)} classes")
    gateway, client = asyncio.run(gateway_scrapes(settings.gateway_services, settings.scrapes))
    progress.show("requests", "counted one by one")
    rows = [
        *_scraped("agent", agent, asked),
        _bounded("agent_core_percent", "%", _core_percent(agent.cpu), asked),
        *_scraped("operator", Scrapes(operator.wall, operator.cpu, operator.longest_hold, 0, 0), asked),
        _bounded("operator_first_scrape_cpu_ms", "ms", [operator.first_cpu], asked),
        *_scraped("gateway", gateway, asked),
        row("gateway_scrape_cpu_ms_beside_client", "ms", gateway.cpu, _CLIENT, client),
        *_counted(request_costs(settings.rounds), asked),
    ]
    return Report(
        name=NAME,
        runs=settings.scrapes,
        settings=asdict(settings) | {"processors": os.cpu_count(), "load_before": busy},
        results=rows,
        notes=_notes(agent, gateway, operator.series, operator.bytes, busy),
    )


def _scraped(process: str, found: Scrapes, asked: Mapping[str, Bound]) -> list[Row]:
    return [
        _bounded(f"{process}_scrape_ms", "ms", found.wall, asked),
        _bounded(f"{process}_scrape_cpu_ms", "ms", found.cpu, asked),
        _bounded(f"{process}_longest_hold_ms", "ms", [found.longest_hold], asked),
    ]


def _core_percent(cpu: Sequence[float]) -> list[float]:
    """The share of a core that scrapes take."""
    return [milliseconds / (SCRAPE_EVERY_SECONDS * 1e3) * 100 for milliseconds in cpu]


def _counted(costs: Mapping[str, Sequence[float]], asked: Mapping[str, Bound]) -> list[Row]:
    sdk = costs["sdk_record_us"]
    rows = [_bounded(name, "us", samples, asked) for name, samples in costs.items() if samples is not sdk]
    return [*rows, row("request_telemetry_us_beside_sdk", "us", costs["request_telemetry_us"], _SDK, sdk)]


def _bounded(name: str, unit: str, samples: Sequence[float], asked: Mapping[str, Bound]) -> Row:
    return figure(name, unit, percentile(samples, 50), samples, asked.get(name))


def _notes(agent: Scrapes, gateway: Scrapes, series: int, size: int, busy: float) -> list[str]:
    return [
        f"agent: {agent.series} series, {agent.bytes} bytes; over HTTP, the GPUs read anew by each scrape",
        f"operator: {series} series, {size} bytes; some nodes change between two scrapes",
        f"gateway: {gateway.series} series, {gateway.bytes} bytes; longest_hold is of the processor between two turns",
        f"agent_core_percent: a scrape's processor time every {SCRAPE_EVERY_SECONDS:g} s",
        f"load before: {busy:.2f}",
    ]
