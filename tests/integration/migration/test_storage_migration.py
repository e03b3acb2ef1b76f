"""From a storage version to the next, with five thousand objects and a migrator that is killed half way."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from controller.entrypoints.operator_migration import PROGRESS
from e2e.plane import Plane
from e2e.plane.admin import documents
from e2e.run.install import CRD_FILES, SYSTEM_NAMESPACE
from e2e.run.processes import operator_kubeconfig
from tests.integration.conversion.etcd import Etcd
from tests.integration.conversion.serving import ROOT, Object, Webhooks, listed, policies, services, webhooks

pytestmark = [pytest.mark.plane, pytest.mark.timeout(1500)]

MANY = 5_000
#: Of these; the others are their copies in the store.
CREATED = 100
POLICIES = 20
PER_SECOND = 600.0
PROBE: Object = {"metadata": {"name": "stored-in"}, "spec": {}}
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAMES = ("inferenceservices.aim.amd.com", "gpusharingpolicies.aim.amd.com")


def flat_service(number: int, namespace: str) -> Object:
    container = {"name": "kserve-container", "image": f"model:{number}"}
    spec = {"modelId": "Qwen/Qwen3-8B", "memoryGB": str(number % 90 + 1), "minInstances": number % 3}
    return {
        "metadata": {"name": f"s{number}", "namespace": namespace},
        "spec": {**spec, "predictor": {"containers": [container]}},
    }


def store_in(plane: Plane, version: str) -> None:
    """Have the API server store both kinds in that version from now on: once it has heard of it, which it does by watch."""
    for name in _NAMES:
        versions = plane.admin.get(f"{_DEFINITIONS}/{name}")["spec"]["versions"]
        places = {entry["name"]: place for place, entry in enumerate(versions)}
        flips = [
            {"op": "replace", "path": f"/spec/versions/{place}/storage", "value": each == version}
            for each, place in places.items()
        ]
        plane.admin.patch(f"{_DEFINITIONS}/{name}", flips)
    etcd, path = Etcd(plane), policies("v1beta1").path()
    plane.wait_until(lambda: _stored_now(plane, etcd, path) == f"aim.amd.com/{version}", f"{version} is stored", 60)


def _stored_now(plane: Plane, etcd: Etcd, path: str) -> str:
    """The version in which the definition that was changed last has its objects stored at this moment."""
    plane.admin.create(path, {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUSharingPolicy", **PROBE})
    try:
        return etcd.version("gpusharingpolicies", "", PROBE["metadata"]["name"])
    finally:
        plane.admin.delete(f"{path}/{PROBE['metadata']['name']}")


def stored_versions(plane: Plane, name: str) -> list[str]:
    versions: list[str] = plane.admin.get(f"{_DEFINITIONS}/{name}")["status"]["storedVersions"]
    return versions


def committed(plane: Plane) -> list[str]:
    """The storage versions that the committed definitions have, which the plane was started with."""
    crds = [document for file in CRD_FILES for document in documents(file)]
    return [
        v["name"] for crd in crds if crd["metadata"]["name"] in _NAMES for v in crd["spec"]["versions"] if v["storage"]
    ]


async def migrator(kubeconfig: Path, log: Path) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.integration.migration.migrator_program")
    arguments = ("--kubeconfig", str(kubeconfig), "--per-second", str(PER_SECOND))
    with log.open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            *command, *arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )


def named(objects: list[Object]) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in objects}


async def test_objects_move_to_the_new_storage_version_though_the_migrator_is_killed(
    installed_plane: Plane, namespace: str, tmp_path: Path
) -> None:
    plane, etcd = installed_plane, Etcd(installed_plane)
    assert committed(plane) == ["v1beta1", "v1beta1"]
    async with webhooks(plane, tmp_path) as made:
        await asyncio.to_thread(store_in, plane, "v1alpha1")
        try:
            await migrated(made, etcd, namespace, tmp_path)
        finally:
            await asyncio.to_thread(store_in, plane, "v1beta1")
            await asyncio.to_thread(etcd.delete_all, "inferenceservices", namespace)
            await asyncio.to_thread(forget_policies, plane)


def forget_policies(plane: Plane) -> None:
    """Delete them: the oldest policy rules a node, of later tests as well."""
    path = policies("v1beta1").path()
    for found in plane.admin.get(path)["items"]:
        plane.admin.delete(f"{path}/{found['metadata']['name']}")


async def migrated(made: Webhooks, etcd: Etcd, namespace: str, folder: Path) -> None:
    plane = made.plane
    await made.create_all(services("v1alpha1"), [flat_service(n, namespace) for n in range(CREATED)])
    await asyncio.to_thread(etcd.clone, "inferenceservices", namespace, MANY // CREATED - 1)
    flat_policies = [{"metadata": {"name": f"p{n}-{namespace}"}, "spec": {}} for n in range(POLICIES)]
    await made.create_all(policies("v1alpha1"), flat_policies)
    raw = await asyncio.to_thread(etcd.versions, "inferenceservices", namespace)
    assert raw == Counter({"aim.amd.com/v1alpha1": MANY})

    await asyncio.to_thread(store_in, plane, "v1beta1")
    assert [set(stored_versions(plane, name)) for name in _NAMES] == [{"v1alpha1", "v1beta1"}] * 2
    before = await listed(made.client, services("v1alpha1"), namespace)
    halfway = sorted(named(before))[MANY // 2]
    account = operator_kubeconfig(plane, folder)
    first = await migrator(account, folder / "migrator.log")
    async with asyncio.timeout(600):
        while await stored_as(etcd, namespace, halfway) == "aim.amd.com/v1alpha1":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    half = await asyncio.to_thread(etcd.versions, "inferenceservices", namespace)
    assert 0 < half["aim.amd.com/v1alpha1"] < MANY
    assert all("v1alpha1" in stored_versions(plane, name) for name in _NAMES)

    began = time.monotonic()
    second = await migrator(account, folder / "migrator.log")
    assert second.stdout is not None
    async with asyncio.timeout(600):
        figures = json.loads(await second.stdout.read())
        await second.wait()
    print(f"\nkilled at {dict(half)}; the second one took {time.monotonic() - began:.1f} s: {figures}")

    raw = await asyncio.to_thread(etcd.versions, "inferenceservices", namespace)
    assert raw == Counter({"aim.amd.com/v1beta1": MANY})
    assert [stored_versions(plane, name) for name in _NAMES] == [["v1beta1"], ["v1beta1"]]
    assert figures["resumed"] == 1
    assert figures["written"] < MANY + POLICIES
    after = named(await listed(made.client, services("v1alpha1"), namespace))
    assert {name: item["spec"] for name, item in after.items()} == {
        name: item["spec"] for name, item in named(before).items()
    }
    for name, item in named(before).items():
        assert after[name]["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]
    progress = await asyncio.to_thread(plane.admin.get, f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/{PROGRESS}")
    assert not progress.get("data")


async def stored_as(etcd: Etcd, namespace: str, name: str) -> str:
    return await asyncio.to_thread(etcd.version, "inferenceservices", namespace, name)
