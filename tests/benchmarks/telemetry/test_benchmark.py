import asyncio
import time

import pytest

from controller.telemetry.catalogue import exported_by
from controller.telemetry.metrics import Metrics
from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.telemetry.agent_scrapes import PARTITIONS, agent_scrapes
from tests.benchmarks.telemetry.benchmark import NAME, Settings, _core_percent, settings_of
from tests.benchmarks.telemetry.gateway_scrapes import CLASSES, gateway_scrapes
from tests.benchmarks.telemetry.request_costs import request_costs
from tests.benchmarks.telemetry.scraping import longest_hold, scrapes
from tests.benchmarks.thresholds import bounds


def test_the_bounds_of_the_issue_stand_there() -> None:
    found = {metric: bound.at_most for metric, bound in bounds(NAME).items()}
    assert found.items() >= {"agent_scrape_ms": 25, "agent_core_percent": 1, "operator_scrape_ms": 100}.items()


def test_words_set_its_sizes() -> None:
    assert settings_of("scrapes=5 nodes=10") == Settings(scrapes=5, nodes=10)
    with pytest.raises(SettingsError, match="DATA 'scrapes=none': write a positive number for one of gateway_services"):
        settings_of("scrapes=none")


def test_a_scrape_of_150_ms_each_15_s_is_a_hundredth_of_a_core() -> None:
    assert _core_percent([150.0]) == [1.0]


async def test_an_agents_scrape_tells_all_its_partitions_as_held() -> None:
    found = await agent_scrapes(2)
    assert len(found.wall) == len(found.cpu) == 2
    assert found.series > 5 * PARTITIONS  # three of memory, use and health
    assert found.bytes > 50 * found.series


async def test_a_gateways_scrape_is_that_of_all_its_services() -> None:
    found, client = await gateway_scrapes(3, 3)
    requests = 3 * len(CLASSES)
    edges = len(exported_by("gateway")["aim_model_request_latency_seconds"].buckets)
    assert found.series > requests * 5 * edges
    assert len(client) == 1


def test_a_requests_cost_is_above_nothing() -> None:
    costs = request_costs(1)
    assert all(0 < sample < 1_000 for samples in costs.values() for sample in samples)


async def test_who_holds_the_loop_is_found_and_who_sleeps_does_not_hold_it() -> None:
    async def busy() -> bytes:
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        return b"a 1\n# b\n"

    async def idle() -> bytes:
        await asyncio.sleep(0.05)
        return b""

    assert await longest_hold(busy) >= 50
    assert await longest_hold(idle) < 50
    found = await scrapes(busy, 2)
    assert (found.series, found.bytes) == (1, 8)
    assert min(found.cpu) >= 50


async def test_its_families_are_those_of_the_page() -> None:
    metrics = Metrics("gateway")
    assert [family.instrument.exported_name for family in metrics.families()] == ["aim_build_info"]
    metrics.close()
