"""Manifests of what users write, applied again after the operator has acted: no conflict, no difference, nobody else's field."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from e2e.plane import Plane
from e2e.plane.admin import APPLY_PATCH
from tests.builders.model_profile import model_profile
from tests.docs.page_commands import DOCS, block, run
from tests.integration.operator.running import Object, Running, deployment, opt_in, running, service

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

GIT = "argocd-controller"
VOLATILE = ("managedFields", "resourceVersion")


def manifests(cluster: Running) -> list[Object]:
    """One of each kind that people keep in Git, with as much of the spec as says something."""
    namespace = cluster.namespace
    profile = model_profile("gitops")
    chat = service(
        "chat",
        replicas=2,
        gpuSharing={"policyRef": "gitops", "partition": {"mode": "CPX/NPS4"}},
        qos={"class": "realtime", "guarantees": {"maxConcurrency": 8}},
    )
    plain: Object = {"apiVersion": "apps/v1", "kind": "Deployment"} | deployment("plain", 1, opt_in())
    flat: Object = {
        "apiVersion": "aim.amd.com/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "flat"},
        "spec": {"modelId": "Qwen/Qwen2.5-0.5B-Instruct", "qosLevel": "high", "minInstances": 1},
    }
    policy: Object = {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": "gitops"},
        "spec": {"allowedModes": ["CPX/NPS4"], "repartition": {"enabled": True}},
    }
    profile["metadata"] = {"name": "gitops"}
    for one in (chat, plain, flat):
        one["metadata"]["namespace"] = namespace
    return [policy, profile, chat, flat, plain]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One node; everything is applied, and the operator has acted on all of it."""
    async with running(plane, tmp_path_factory.mktemp("gitops"), {"a": "CPX/NPS4"}, gpus=1) as made:
        try:
            for one in manifests(made):
                await apply(made, one)
            await made.all_allocated(4)
            for one in manifests(made):
                await seen(made, one)
            yield made
        finally:  # of no namespace: they would be in the way of others
            for one in manifests(made)[:2]:
                await made.delete(made.plane.admin.path_of(one))


async def apply(cluster: Running, obj: Object, **params: str) -> Object:
    """A server-side apply without force."""
    asked = "&".join(f"{key}={value}" for key, value in {"fieldManager": GIT, **params}.items())
    path = f"{cluster.plane.admin.path_of(obj)}?{asked}"
    return await asyncio.to_thread(cluster.plane.admin.request, "PATCH", path, obj, APPLY_PATCH)


async def seen(cluster: Running, obj: Object) -> None:
    """Wait until the operator has written a status, where it writes one, and pods are there."""

    async def settled() -> bool:
        status = (await live(cluster, obj)).get("status", {})
        if obj["kind"] == "InferenceService":
            ready = [one for one in status.get("conditions", ()) if one["type"] == "Ready"]
            return bool(ready and ready[0]["status"] == "True")
        return bool(status.get("conditions"))

    await cluster.eventually(f"{obj['kind']} {obj['metadata']['name']} was acted on", settled)


async def live(cluster: Running, obj: Object) -> Object:
    return await cluster.get(cluster.plane.admin.path_of(obj))


def lasting(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in VOLATILE}
    return {key: value for key, value in obj.items() if key != "status"} | {"metadata": metadata}


def contains(found: Any, wanted: Any) -> bool:
    """Whether all that is wanted stands in what was found, as it is wanted."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(contains(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(contains, found, wanted))
    return bool(found == wanted)


async def test_applied_again_nothing_conflicts_and_nothing_differs(cluster: Running) -> None:
    for one in manifests(cluster):
        before = await live(cluster, one)
        again = await apply(cluster, one, dryRun="All")
        assert lasting(again) == lasting(before), one["kind"]
        assert again["metadata"]["generation"] == before["metadata"]["generation"]
        assert contains(before, one), one["kind"]


async def test_nobody_but_git_owns_a_field_outside_of_the_status(cluster: Running) -> None:
    for one in manifests(cluster):
        entries = (await live(cluster, one))["metadata"]["managedFields"]
        others = {
            entry["manager"] for entry in entries if entry["manager"] != GIT and entry.get("subresource") != "status"
        }
        # Kubernetes counts a Deployment's revisions in an annotation of it
        assert others <= ({"kube-controller-manager"} if one["kind"] == "Deployment" else set()), (one["kind"], entries)
        assert not (await live(cluster, one))["metadata"].get("finalizers")


async def test_a_person_who_changes_a_field_that_git_owns_is_noticed(cluster: Running) -> None:
    """That there is no conflict above is no matter of the API server's patience."""
    (chat,) = [one for one in manifests(cluster) if one["metadata"]["name"] == "chat"]
    path = cluster.plane.admin.path_of(chat)
    await cluster.patch(path, {"spec": {"replicas": 3}})
    try:
        with pytest.raises(Exception, match="conflict"):
            await apply(cluster, chat, dryRun="All")
    finally:
        await apply(cluster, chat, force="true")


async def test_kubectl_diff_shows_nothing(cluster: Running, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(manifests(cluster)))
    told = await run(block("gitops.md", "Who writes what"), cluster.plane.kubeconfig, tmp_path, MANIFEST="all.yaml")
    assert told == ""


async def test_the_health_scripts_go_into_argocds_settings_beside_what_is_there(
    cluster: Running, tmp_path: Path
) -> None:
    settings = "/api/v1/namespaces/argocd/configmaps"
    await cluster.create("/api/v1/namespaces", {"metadata": {"name": "argocd"}})
    try:
        theirs = {"url": "https://argocd.example.com"}
        await cluster.create(settings, {"metadata": {"name": "argocd-cm"}, "data": theirs})
        await run(block("gitops.md", "Argo CD"), cluster.plane.kubeconfig, tmp_path, folder=DOCS.parent)
        found = (await cluster.get(f"{settings}/argocd-cm"))["data"]
        assert found == theirs | yaml.safe_load((DOCS / "argocd-health.yaml").read_text())["data"]
    finally:
        await cluster.delete("/api/v1/namespaces/argocd")
