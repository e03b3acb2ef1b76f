"""The gateway before KServe's services: one of KServe's own with our annotations, and one of ours that KServe runs."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.run.processes import start_gateway
from tests.integration.gateway.engines import engines
from tests.integration.gateway.world import World, bind_keys
from tests.integration.kserve.services import API, inference_service
from tests.integration.operator.running import opt_in, running, service

pytestmark = [pytest.mark.plane, pytest.mark.kserve, pytest.mark.xdist_group("kserve"), pytest.mark.timeout(300)]

NO_AUTOSCALER = {"serving.kserve.io/autoscalerClass": "none"}
OTHER_MODEL = "Qwen/Qwen3-4B"


async def test_services_that_kserve_runs_are_reached_by_their_names(kserve_plane: Plane, tmp_path: Path) -> None:
    async with running(kserve_plane, tmp_path, {"a": "CPX/NPS4"}) as cluster, engines(tmp_path) as listening:
        await bind_keys(cluster, cluster.namespace)
        options = ("--key-namespace", cluster.namespace)
        async with start_gateway(kserve_plane, tmp_path, addresses=listening.file, arguments=options) as gateway:
            world = World(cluster, listening, gateway, tmp_path)
            theirs = f"{API}/namespaces/{cluster.namespace}/inferenceservices"
            annotations = opt_in(OTHER_MODEL, qos_class="batch") | NO_AUTOSCALER
            await cluster.create(theirs, inference_service("search", annotations=annotations, minReplicas=1))
            await cluster.create(cluster.services_path, service("chat"))
            key = await world.key()
            for name in ("search", "chat"):
                (uid,) = await world.ready(f"{name}-predictor", 1)
                assert (await world.answered(key, name)).engine == uid
                assert (await world.ask(key, f"{world.namespace}/{name}")).engine == uid
            assert (await world.ask(key, OTHER_MODEL)).status == 200
            assert (await world.ask(key, "search-predictor")).reason == "ModelNotFound"
            metrics = await cluster.metrics(gateway)
            told = [line for line in metrics.splitlines() if f'namespace="{world.namespace}",service="search",' in line]
            assert any('priority="batch"' in line for line in told), told
            await cluster.delete(f"{theirs}/search")
            await world.answered(key, "search", status=404)
