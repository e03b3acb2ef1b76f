"""What is written in one version is read, watched, listed, applied and edited in the other, on a real API server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from controller.runtime.client.errors import ApiError, Conflict, TooManyRequests
from e2e.chart.installed import around_processes
from e2e.plane import Plane
from e2e.plane.admin import documents
from e2e.run.install import CRD_FILES, kubectl
from tests.integration.conversion.serving import Object, Webhooks, at, services, webhooks

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

ALPHA, BETA = "v1alpha1", "v1beta1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(installed_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Webhooks]:
    """Two replicas for all tests of this file: each registration makes the API server begin its storage anew."""
    async with webhooks(installed_plane, tmp_path_factory.mktemp("webhooks")) as started:
        yield started


def flat(name: str, namespace: str, **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"modelId": "Qwen/Qwen3-8B", **spec}}


def nested(name: str, namespace: str, **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"model": {"id": "Qwen/Qwen3-8B"}, **spec}}


async def spec_in(made: Webhooks, version: str, name: str, namespace: str) -> Object:
    found = await made.client.get(services(version), name, namespace)
    assert found["apiVersion"] == services(version).api_version
    spec: Object = found["spec"]
    return spec


async def test_both_versions_are_written_and_read_in_the_other(made: Webhooks, namespace: str) -> None:
    await made.client.create(services(ALPHA), flat("a", namespace, memoryGB="24", minInstances=2, maxInstances=3))
    hub = await spec_in(made, BETA, "a", namespace)
    assert hub["gpuSharing"]["partition"]["minMemory"] == "24Gi"
    assert (hub["model"]["id"], hub["replicas"], hub["maxReplicas"]) == ("Qwen/Qwen3-8B", 2, 3)

    await made.client.create(services(BETA), nested("b", namespace, gpuSharing={"partition": {"mode": "CPX/NPS4"}}))
    spoke = await spec_in(made, ALPHA, "b", namespace)
    assert (spoke["modelId"], spoke["partition"]) == ("Qwen/Qwen3-8B", "CPX/NPS4")
    assert set(made.balancer.statistics().accepted) <= {replica.port for replica in made.replicas}


async def test_an_edit_in_one_version_is_seen_in_the_other_and_keeps_what_that_cannot_say(
    made: Webhooks, namespace: str
) -> None:
    container = {"name": "kserve-container", "image": "model", "env": [{"name": "A", "value": "1"}]}
    await made.client.create(services(BETA), nested("b", namespace, predictor={"containers": [container]}))
    before = await spec_in(made, BETA, "b", namespace)
    edited = await made.client.get(services(ALPHA), "b", namespace)
    edited["spec"]["memoryGB"] = "48"
    await made.client.replace(services(ALPHA), edited)
    after = await made.client.get(services(BETA), "b", namespace)
    assert after["spec"].pop("gpuSharing")["partition"]["minMemory"] == "48Gi"
    before.pop("gpuSharing", None)
    assert after["spec"] == before
    assert "annotations" not in after["metadata"]

    await made.client.merge_patch(services(BETA), "b", {"spec": {"replicas": 3}}, namespace)
    assert (await spec_in(made, ALPHA, "b", namespace))["minInstances"] == 3


async def test_kubectl_applies_and_edits_either_version(made: Webhooks, namespace: str) -> None:
    text = (
        "apiVersion: aim.amd.com/v1alpha1\nkind: InferenceService\nmetadata: {{name: k}}\n"
        "spec: {{modelId: Qwen/Qwen3-8B, memoryGB: '{gib}'}}\n"
    )
    where = ("-n", namespace)
    for gib in ("24", "32"):
        await asyncio.to_thread(kubectl, made.plane, *where, "apply", "-f", "-", text=text.format(gib=gib))
        hub = await spec_in(made, BETA, "k", namespace)
        assert hub["gpuSharing"]["partition"]["minMemory"] == f"{gib}Gi"
    patch = ("patch", "inferenceservices.v1beta1.aim.amd.com", "k", "--type=merge", "-p", '{"spec":{"replicas":2}}')
    await asyncio.to_thread(kubectl, made.plane, *where, *patch)
    shown = ("get", "inferenceservices.v1alpha1.aim.amd.com", "k", "-o", "jsonpath={.spec}")
    assert '"minInstances":2' in await asyncio.to_thread(kubectl, made.plane, *where, *shown)


async def test_a_watch_of_either_version_sees_writes_in_the_other(made: Webhooks, namespace: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        version = (await made.client.list(services(BETA), namespace)).resource_version
        seen = {watched: tasks.create_task(first_three(made, watched, namespace, version)) for watched in (ALPHA, BETA)}
        await made.client.create(services(ALPHA), flat("w", namespace, memoryGB="24"))
        await made.client.merge_patch(
            services(BETA), "w", {"spec": {"gpuSharing": {"partition": {"minMemory": "32Gi"}}}}, namespace
        )
        await made.client.delete(services(ALPHA), "w", namespace)
        alpha, beta = await seen[ALPHA], await seen[BETA]
    assert [kind for kind, _ in alpha] == ["ADDED", "MODIFIED", "DELETED"] == [kind for kind, _ in beta]
    assert [spec["memoryGB"] for _, spec in alpha] == ["24", "32", "32"]
    assert [spec["gpuSharing"]["partition"]["minMemory"] for _, spec in beta] == ["24Gi", "32Gi", "32Gi"]


async def first_three(made: Webhooks, watched: str, namespace: str, version: str) -> list[tuple[str, Object]]:
    """Type and spec of three events."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await events_of(made, watched, namespace, version, 3)
            except TooManyRequests:  # a watch must wait until the API server knows the kind's new address
                await asyncio.sleep(0.2)


async def events_of(made: Webhooks, watched: str, namespace: str, version: str, count: int) -> list[tuple[str, Object]]:
    events: list[tuple[str, Object]] = []
    stream = made.client.watch(services(watched), namespace, resource_version=version)
    async with aclosing(stream) as stream:
        async for kind, obj in stream:
            if kind != "BOOKMARK":
                assert isinstance(obj, dict)
                assert obj["apiVersion"] == services(watched).api_version
                events.append((kind, obj["spec"]))
            if len(events) == count:
                break
    return events


async def test_managers_that_apply_in_different_versions_own_what_they_applied(made: Webhooks, namespace: str) -> None:
    """Ownership is kept by path and by version: what one manager owns in its version, the other's is compared with."""
    await apply(made, ALPHA, "alice", flat("s", namespace, memoryGB="24"))
    await apply(made, BETA, "bob", nested("s", namespace, replicas=2))
    found = await made.client.get(services(BETA), "s", namespace)
    owners = {entry["manager"]: entry["apiVersion"] for entry in found["metadata"]["managedFields"]}
    assert owners == {"alice": "aim.amd.com/v1alpha1", "bob": "aim.amd.com/v1beta1"}

    # bob takes another value of what alice owns in her version: a conflict, that names her
    other = nested("s", namespace, replicas=2, gpuSharing={"partition": {"minMemory": "32Gi"}})
    with pytest.raises(Conflict, match="alice"):
        await apply(made, BETA, "bob", other, force=False)
    await apply(made, BETA, "bob", other)
    assert (await spec_in(made, ALPHA, "s", namespace))["memoryGB"] == "32"

    # alice applies without it: bob's value stays; bob does: it goes
    await apply(made, ALPHA, "alice", flat("s", namespace))
    assert (await spec_in(made, ALPHA, "s", namespace))["memoryGB"] == "32"
    await apply(made, BETA, "bob", nested("s", namespace, replicas=2))
    assert "memoryGB" not in await spec_in(made, ALPHA, "s", namespace)
    assert (await spec_in(made, BETA, "s", namespace))["replicas"] == 2


async def apply(made: Webhooks, version: str, manager: str, obj: Object, *, force: bool = True) -> Object:
    return await made.client.apply(services(version), obj, field_manager=manager, force=force)


async def test_manifests_that_are_put_back_are_registered_again_within_seconds(made: Webhooks, namespace: str) -> None:
    await made.client.create(services(BETA), nested("r", namespace))
    began = asyncio.get_running_loop().time()
    for path in await asyncio.to_thread(put_back, made.plane):
        config = "/spec/conversion/webhook/clientConfig" if "customresource" in path else "/webhooks/0/clientConfig"
        async with asyncio.timeout(5):
            while "url" not in at(await asyncio.to_thread(made.plane.admin.get, path), config):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        while True:
            try:
                await spec_in(made, ALPHA, "r", namespace)
                break
            except ApiError:
                await asyncio.sleep(0.05)
    print(f"registered and read again {asyncio.get_running_loop().time() - began:.2f} s after all was put back")


def put_back(plane: Plane) -> list[str]:
    """Replace what names our webhooks by what the chart says; the paths of these objects."""
    paths = []
    for obj in (*(one for file in CRD_FILES for one in documents(file)), *around_processes()):
        if "webhooks" in obj or "conversion" in obj.get("spec", {}):
            paths.append(plane.admin.path_of(obj))
            obj["metadata"]["resourceVersion"] = plane.admin.get(paths[-1])["metadata"]["resourceVersion"]
            plane.admin.request("PUT", paths[-1], obj)
    # these replicas serve no validation, and leave its configuration alone
    return [path for path in paths if not path.endswith("aim-gpu-validation")]
