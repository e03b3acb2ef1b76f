"""What the fake API server cannot tell: field ownership, JSON patches of lists, Events, as the real one sees them."""

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from controller.runtime.applied_fields import would_change
from controller.runtime.client.apply import Applier, Outcome
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CONFIG_MAPS, DEPLOYMENTS, EVENTS
from controller.runtime.client.errors import Invalid
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.finalizer import add_finalizer, has_finalizer, remove_finalizer
from controller.runtime.manifest import Manifest
from e2e.plane import Plane

pytestmark = pytest.mark.plane


@pytest.fixture
async def client(plane: Plane) -> AsyncIterator[Client]:
    async with Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig)) as opened:
        yield opened


def wanted(namespace: str) -> Manifest:
    """A Deployment that leaves to the server what it defaults, in lists too."""
    containers = [
        {
            "name": "main",
            "image": "example.com/a:1",
            "args": ["-v", "3"],
            "ports": [{"containerPort": 80}, {"containerPort": 443, "name": "tls"}],
            "env": [{"name": "A", "value": "1"}],
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        },
        {"name": "side", "image": "example.com/b:1", "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]},
    ]
    pods = {"containers": containers, "volumes": [{"name": "scratch", "emptyDir": {}}], "nodeSelector": {"x": "y"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": "web", "labels": {"app": "web"}, "finalizers": ["example.com/x"]},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pods},
        },
    }


async def live(client: Client, namespace: str) -> Manifest:
    return await client.get(DEPLOYMENTS, "web", namespace)


def told(desired: Manifest, present: Manifest) -> tuple[bool, bool]:
    """Whether an apply would change anything, by an object with its managedFields and by one without."""
    bare = deepcopy(present)
    del bare["metadata"]["managedFields"]
    return would_change(desired, present, "us"), would_change(desired, bare, "us")


async def test_what_apply_would_change(client: Client, namespace: str) -> None:
    desired = wanted(namespace)
    await client.apply(DEPLOYMENTS, desired, field_manager="us")
    assert told(desired, await live(client, namespace)) == (False, False), "defaults are not compared"

    other: Manifest = deepcopy(desired)
    other["metadata"] = {
        "namespace": namespace,
        "name": "web",
        "labels": {"theirs": "1"},
        "finalizers": ["example.com/y"],
    }
    other["spec"] = {"template": {"spec": {"containers": [{"name": "mesh", "image": "example.com/m:1"}]}}}
    await client.apply(DEPLOYMENTS, other, field_manager="others")
    assert told(desired, await live(client, namespace)) == (False, True), "others' elements, fields and finalizers"

    fewer = deepcopy(desired)
    del fewer["spec"]["template"]["spec"]["containers"][0]["env"]
    assert told(fewer, await live(client, namespace))[0], "a field that is let go"

    patch = {"spec": {"replicas": 1}}
    await client.merge_patch(DEPLOYMENTS, "web", patch, namespace)
    assert told(desired, await live(client, namespace)) == (True, True), "a value that somebody changed"


def _owned(obj: Manifest) -> list[Any]:
    return [entry for entry in obj["metadata"]["managedFields"] if entry["manager"] == "us"]


async def test_a_skipped_apply_would_have_changed_nothing(client: Client, namespace: str) -> None:
    desired, applier = wanted(namespace), Applier(client, "us")
    first = await applier.apply(DEPLOYMENTS, desired, None)
    assert first.outcome is Outcome.CREATED
    present = await live(client, namespace)
    assert (await applier.apply(DEPLOYMENTS, desired, present)).outcome is Outcome.UNCHANGED
    again = await client.apply(DEPLOYMENTS, desired, field_manager="us")
    assert again["metadata"]["generation"] == present["metadata"]["generation"]
    # of ours alone: the Deployment's own controller writes its status whenever it likes
    assert _owned(again) == _owned(present) != []
    desired["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/a:2"
    assert (await applier.apply(DEPLOYMENTS, desired, present)).outcome is Outcome.CHANGED


async def test_finalizers(client: Client, namespace: str) -> None:
    bare = await client.create(CONFIG_MAPS, {"metadata": {"name": "held", "namespace": namespace}})
    await client.json_patch(CONFIG_MAPS, "held", add_finalizer(bare, "example.com/ours"), namespace)
    with pytest.raises(Invalid) as raised:
        await client.json_patch(CONFIG_MAPS, "held", add_finalizer(bare, "example.com/late"), namespace)
    assert raised.value.causes == ()

    seen = await client.get(CONFIG_MAPS, "held", namespace)
    await client.json_patch(CONFIG_MAPS, "held", add_finalizer(seen, "example.com/theirs"), namespace)
    await client.delete(CONFIG_MAPS, "held", namespace)
    left = await client.json_patch(CONFIG_MAPS, "held", remove_finalizer(seen, "example.com/ours"), namespace)
    assert left["metadata"]["finalizers"] == ["example.com/theirs"], "removed by place, though the object changed"
    assert has_finalizer(left, "example.com/theirs")
    await client.json_patch(CONFIG_MAPS, "held", remove_finalizer(left, "example.com/theirs"), namespace)
    assert not (await client.list(CONFIG_MAPS, namespace, field_selector="metadata.name=held")).items


async def events(client: Client, namespace: str) -> dict[str, Any]:
    """Note -> the count of its series, None without one."""
    found = (await client.list(EVENTS, namespace)).items
    return {event["note"]: event.get("series", {}).get("count") for event in found if event["reason"] == "Tested"}


async def test_events_become_series(client: Client, namespace: str) -> None:
    about = await client.create(CONFIG_MAPS, {"metadata": {"name": "about", "namespace": namespace}})
    recorder = EventRecorder(client, "aim.amd.com/test", instance="here")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(recorder.run())
        recorder.record(about, "Normal", "Tested", "once", "Test")
        recorder.record(about, "Warning", "Tested", "again", "Test")
        async with asyncio.timeout(60):
            while recorder.statistics().written < 2:  # noqa: ASYNC110 - written is a count, not an event
                await asyncio.sleep(0.02)
        for _ in range(3):
            recorder.record(about, "Warning", "Tested", "again", "Test")
        for number in range(12):
            recorder.record(about, "Normal", "Tested", f"pod-{number}", "Test")
        recorder.stop()
        await running
    assert recorder.statistics().failed == 0
    seen = await events(client, namespace)
    assert seen["once"] is None
    assert seen["again"] == 4, "a patched series is one that the API takes"
    assert seen["(combined from similar events): pod-9"] == 3
    assert len(seen) == 2 + 9 + 1
