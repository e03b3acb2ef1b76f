"""An API server whose watches cannot begin with a list, metrics behind tokens, a Node that is another machine now."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from e2e.plane import Plane, service_account_token
from e2e.plane.components import APISERVER
from e2e.run.install import CRD_FILES, add_gpu_nodes, apply_objects, install
from e2e.run.metrics import SECURE
from e2e.run.processes import Worker, start_agents, start_operators

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

NODE = "gpu-a"
GPU_NODE = f"/apis/aim.amd.com/v1beta1/gpunodes/{NODE}"
SCRAPER = "scrapes-all"
LIMIT_SECONDS = 30.0


@pytest.fixture(scope="module")
def older_plane() -> Iterator[Plane]:
    """One that serves no watch lists."""
    with Plane(manifests=CRD_FILES, arguments={APISERVER: ("--feature-gates=WatchList=false",)}) as plane:
        install(plane)
        add_gpu_nodes(plane, [NODE])
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aim-gpu-metrics-reader"}
        named = {"name": SCRAPER}
        apply_objects(
            plane,
            [
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named | {"namespace": "default"}},
                {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": "ClusterRoleBinding",
                    "metadata": named,
                    "roleRef": role,
                    "subjects": [{"kind": "ServiceAccount", "name": SCRAPER, "namespace": "default"}],
                },
            ],
        )
        yield plane


async def scraped(worker: Worker, token: str) -> int:
    """The status that somebody with that token gets."""
    url = f"https://127.0.0.1:{worker.ports['metrics']}/metrics"
    async with (
        aiohttp.ClientSession() as client,
        client.get(url, headers={"Authorization": f"Bearer {token}"}, ssl=False) as answer,
    ):
        return answer.status


async def test_operator_and_agents_work_there(older_plane: Plane, tmp_path: Path) -> None:
    plane = older_plane
    token = service_account_token(plane, "default", SCRAPER)
    async with (
        start_operators(plane, tmp_path, arguments=SECURE) as operators,
        start_agents(plane, tmp_path, {NODE: "SPX/NPS1"}, arguments=SECURE) as agents,
    ):
        await agents.wait_until("/readyz")
        assert await scraped(operators.workers[0], token) == 200
        assert await scraped(agents, token) == 200
        before = plane.admin.get(GPU_NODE)["metadata"]["uid"]
        owner = {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": "of-another-machine"}
        await asyncio.to_thread(plane.admin.patch, GPU_NODE, {"metadata": {"ownerReferences": [owner]}})

        def made_anew() -> bool:
            found = plane.admin.find(GPU_NODE)
            return found is not None and found["metadata"]["uid"] != before

        await asyncio.to_thread(plane.wait_until, made_anew, "the GPUNode is made anew", LIMIT_SECONDS)
