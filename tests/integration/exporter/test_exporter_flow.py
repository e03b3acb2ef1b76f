"""Services without the gateway, told by what their engines say."""

import asyncio
from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.run.exporter import gateway_slice, list_gateway
from tests.integration.exporter.site import a_site, ask
from tests.integration.operator.running import SMALL, deployment, opt_in, service

pytestmark = pytest.mark.plane

SLICE = "/apis/discovery.k8s.io/v1/namespaces/aim-gpu-gateway/endpointslices"
REQUESTS = "aim_model_requests_total"


async def test_requests_of_an_annotated_deployment_appear_and_end_with_it(plane: Plane, tmp_path: Path) -> None:
    async with a_site(plane, tmp_path) as site:
        await site.expose("search")
        path = f"{site.cluster.deployments_path}/search"
        await site.cluster.create(site.cluster.deployments_path, deployment("search", 2, opt_in()))
        addresses = await site.addresses(2, {"app": "search"})
        await site.until(0, REQUESTS, service="search", code="200")
        for address in addresses:
            await ask(address, SMALL, 3)
        await site.until(6, REQUESTS, service="search", model=SMALL, priority="", code="200", reason="")
        await site.until(24, "aim_model_tokens_total", service="search", model=SMALL, direction="output")
        for histogram in ("request_latency", "time_to_first_byte", "queue_wait", "time_per_output_token"):
            await site.until(6, f"aim_model_{histogram}_seconds_count", service="search")
        assert (await site.total("aim_model_request_latency_seconds_sum", service="search") or 0) > 0
        assert await site.total("aim_model_kv_cache_usage", service="search") == 0
        assert await site.total("aim_model_queued_requests", service="search") == 0

        # one pod less, and the other goes on counting where both were
        await site.cluster.patch(path, {"spec": {"replicas": 1}})
        (left,) = await site.addresses(1, {"app": "search"})
        await ask(left, SMALL, 1)
        await site.until(7, REQUESTS, service="search", code="200")

        await site.cluster.delete(path)
        await site.until(None, REQUESTS, service="search")
        for family in ("aim_model_tokens_total", "aim_model_kv_cache_usage", "aim_model_queued_requests"):
            assert await site.total(family, service="search") is None


async def test_requests_of_our_services_are_left_to_a_gateway_that_is_there(plane: Plane, tmp_path: Path) -> None:
    async with a_site(plane, tmp_path) as site:
        await site.cluster.create(site.cluster.services_path, service("chat"))
        (address,) = await site.addresses(1, {"aim.amd.com/inference-service": "chat"})
        await ask(address, SMALL, 2)
        await site.until(2, REQUESTS, service="chat", model=SMALL, code="200")
        try:
            await asyncio.to_thread(list_gateway, plane)
            await site.until(None, REQUESTS, service="chat")
            assert await site.total("aim_model_kv_cache_usage", service="chat") == 0
        finally:
            await site.cluster.delete(f"{SLICE}/{gateway_slice(ready=True)['metadata']['name']}")
