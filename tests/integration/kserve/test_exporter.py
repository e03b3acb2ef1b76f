"""The exporter beside KServe: a service of KServe's own with our annotations is told under its name."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.exporter.site import a_site, ask
from tests.integration.kserve.services import API, inference_service
from tests.integration.operator.running import opt_in

pytestmark = [pytest.mark.plane, pytest.mark.kserve, pytest.mark.xdist_group("kserve"), pytest.mark.timeout(300)]

MODEL = "Qwen/Qwen3-4B"


async def test_requests_that_reach_kserves_service_past_the_gateway_are_told(
    kserve_plane: Plane, tmp_path: Path
) -> None:
    async with a_site(kserve_plane, tmp_path) as site:
        theirs = f"{API}/namespaces/{site.cluster.namespace}/inferenceservices"
        annotations = opt_in(MODEL) | {"serving.kserve.io/autoscalerClass": "none"}
        await site.cluster.create(theirs, inference_service("search", annotations=annotations, minReplicas=1))
        (address,) = await site.addresses(1, {"serving.kserve.io/inferenceservice": "search"})
        await ask(address, MODEL, 3)
        await site.until(3, "aim_model_requests_total", service="search", model=MODEL, code="200")
        assert await site.total("aim_model_kv_cache_usage", service="search", model=MODEL) == 0
        await site.cluster.delete(f"{theirs}/search")
        await site.until(None, "aim_model_requests_total", service="search")
