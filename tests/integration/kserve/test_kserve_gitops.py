"""A manifest of KServe's service with our annotations, applied again after both have acted."""

import asyncio
from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.plane.admin import APPLY_PATCH
from tests.integration.kserve.test_kserve_flow import kserve_path, kserve_service, nothing_left, once_serving
from tests.integration.operator.running import Object, Running, running

pytestmark = [pytest.mark.plane, pytest.mark.kserve, pytest.mark.xdist_group("kserve"), pytest.mark.timeout(300)]

GIT = "argocd-controller"


async def apply(cluster: Running, obj: Object, **params: str) -> Object:
    """A server-side apply without force."""
    asked = "&".join(f"{key}={value}" for key, value in {"fieldManager": GIT, **params}.items())
    path = f"{kserve_path(cluster, obj['metadata']['name'])}?{asked}"
    return await asyncio.to_thread(cluster.plane.admin.request, "PATCH", path, obj, APPLY_PATCH)


async def test_applied_again_nothing_conflicts_and_of_ours_there_is_a_condition_only(
    kserve_plane: Plane, tmp_path: Path
) -> None:
    async with running(kserve_plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        manifest = kserve_service("chat")
        await apply(cluster, manifest)
        before = await once_serving(cluster, "chat")
        again = await apply(cluster, manifest, dryRun="All")
        assert again["spec"] == before["spec"]
        assert again["metadata"]["annotations"] == before["metadata"]["annotations"]
        assert again["metadata"]["generation"] == before["metadata"]["generation"]
        ours = [one for one in before["metadata"]["managedFields"] if "aim" in one["manager"]]
        assert ours, "the condition is ours"
        assert {one.get("subresource") for one in ours} == {"status"}
        await cluster.delete(kserve_path(cluster, "chat"))
        await nothing_left(cluster, "chat")
