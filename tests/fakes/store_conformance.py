"""What controllers depend on of an API server's store, as checks over a Client: the same on the fake and the real one.

Each check gets a client and a namespace of its own, and leaves what it made behind.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.core import CONFIG_MAPS, LEASES, POD_DISRUPTION_BUDGETS, PODS
from controller.runtime.client.errors import AlreadyExists, Conflict, Invalid, NotFound, TooManyRequests
from controller.runtime.manifest import annotations_of, key_of, version_of
from controller.state.kinds import GPU_PARTITION_CLAIMS

RESOURCES: Final = (CONFIG_MAPS, LEASES, PODS, POD_DISRUPTION_BUDGETS, GPU_PARTITION_CLAIMS)
"""What a store must serve for the checks."""

Check = Callable[[Client, str], Awaitable[None]]
Object = dict[str, Any]


def config_map(namespace: str, name: str = "one", labels: Object | None = None, **data: str) -> Object:
    metadata = {"namespace": namespace, "name": name} | ({"labels": labels} if labels else {})
    return {"metadata": metadata, "data": data}


def claim(namespace: str) -> Object:
    spec = {"podRef": {"name": "p", "uid": "u"}, "requirement": {"memory": "16Gi"}}
    return {"metadata": {"namespace": namespace, "name": "aim-a"}, "spec": spec, "status": {"phase": "Bound"}}


def pod(namespace: str, name: str = "web", **spec: Any) -> Object:
    containers = [{"name": "main", "image": "model"}]
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": "web"}},
        "spec": {"containers": containers, "schedulingGates": [{"name": "aim.amd.com/partition"}], **spec},
    }


async def a_write_over_an_old_version_conflicts(client: Client, namespace: str) -> None:
    first = await client.create(CONFIG_MAPS, config_map(namespace, a="1"))
    second = await client.replace(CONFIG_MAPS, {**first, "data": {"a": "2"}})
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await client.replace(CONFIG_MAPS, {**first, "data": {"a": "3"}})
    old = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {"a": "4"}}
    with pytest.raises(Conflict):
        await client.merge_patch(CONFIG_MAPS, "one", old, namespace)
    assert (await client.get(CONFIG_MAPS, "one", namespace))["data"] == {"a": "2"}


async def a_write_that_changes_nothing_stores_nothing(client: Client, namespace: str) -> None:
    first = await client.create(CONFIG_MAPS, config_map(namespace, a="1"))
    again = await client.merge_patch(CONFIG_MAPS, "one", {"data": {"a": "1"}}, namespace)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def a_name_is_taken_once(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace))
    with pytest.raises(AlreadyExists):
        await client.create(CONFIG_MAPS, config_map(namespace))


async def what_is_not_there_is_not_found(client: Client, namespace: str) -> None:
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "none", namespace)
    with pytest.raises(NotFound):
        await client.delete(CONFIG_MAPS, "none", namespace)
    with pytest.raises(NotFound):
        await client.merge_patch(CONFIG_MAPS, "none", {"data": {}}, namespace)


async def status_and_spec_are_written_apart(client: Client, namespace: str) -> None:
    made = await client.create(GPU_PARTITION_CLAIMS, claim(namespace))
    assert made.get("status", {}).get("phase") != "Bound"  # a creation cannot set it
    assert made["metadata"]["generation"] == 1
    bound = await client.replace(GPU_PARTITION_CLAIMS, {**made, "status": {"phase": "Bound"}}, subresource="status")
    assert (bound["status"]["phase"], bound["metadata"]["generation"]) == ("Bound", 1)
    labelled = {**bound, "metadata": {**bound["metadata"], "labels": {"a": "b"}}, "status": {"phase": "Released"}}
    after = await client.replace(GPU_PARTITION_CLAIMS, labelled)
    assert (after["status"]["phase"], after["metadata"]["labels"]) == ("Bound", {"a": "b"})
    patched = await client.merge_patch(
        GPU_PARTITION_CLAIMS, "aim-a", {"status": {"phase": "Allocated"}}, namespace, subresource="status"
    )
    assert patched["status"]["phase"] == "Allocated"


async def a_failed_test_of_a_json_patch_has_no_causes(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace, a="1"))
    passing = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    assert (await client.json_patch(CONFIG_MAPS, "one", passing, namespace))["data"] == {"a": "2"}
    with pytest.raises(Invalid) as caught:
        await client.json_patch(CONFIG_MAPS, "one", passing, namespace)
    assert caught.value.causes == ()


async def a_merge_patch_removes_what_is_none(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace, a="1", b="2"))
    after = await client.merge_patch(CONFIG_MAPS, "one", {"data": {"a": None, "c": "3"}}, namespace)
    assert after["data"] == {"b": "2", "c": "3"}


async def an_apply_creates_and_then_changes(client: Client, namespace: str) -> None:
    wanted = config_map(namespace, a="1")
    made = await client.apply(CONFIG_MAPS, wanted, field_manager="test")
    again = await client.apply(CONFIG_MAPS, wanted, field_manager="test")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    changed = await client.apply(CONFIG_MAPS, config_map(namespace, a="2"), field_manager="test")
    assert (changed["data"], changed["metadata"]["uid"]) == ({"a": "2"}, made["metadata"]["uid"])


async def a_deletion_has_preconditions(client: Client, namespace: str) -> None:
    made = await client.create(CONFIG_MAPS, config_map(namespace))
    with pytest.raises(Conflict):
        await client.delete(CONFIG_MAPS, "one", namespace, uid="another")
    with pytest.raises(Conflict):
        await client.delete(CONFIG_MAPS, "one", namespace, resource_version="1")
    await client.delete(CONFIG_MAPS, "one", namespace, uid=made["metadata"]["uid"])
    assert await _gone(client, CONFIG_MAPS, "one", namespace)


async def finalizers_keep_an_object_until_the_last_is_removed(client: Client, namespace: str) -> None:
    held = config_map(namespace)
    held["metadata"]["finalizers"] = ["aim.amd.com/test"]
    await client.create(CONFIG_MAPS, held)
    await client.delete(CONFIG_MAPS, "one", namespace)
    assert (await client.get(CONFIG_MAPS, "one", namespace))["metadata"]["deletionTimestamp"]
    await client.merge_patch(CONFIG_MAPS, "one", {"metadata": {"finalizers": None}}, namespace)
    assert await _gone(client, CONFIG_MAPS, "one", namespace)


async def a_pod_on_a_node_ends_gracefully_and_another_at_once(client: Client, namespace: str) -> None:
    await client.create(PODS, pod(namespace, "waits"))
    await client.delete(PODS, "waits", namespace)
    assert await _gone(client, PODS, "waits", namespace)
    placed = pod(namespace, "placed", schedulingGates=[], nodeName="nowhere")
    await client.create(PODS, placed)
    await client.delete(PODS, "placed", namespace)
    assert (await client.get(PODS, "placed", namespace))["metadata"]["deletionTimestamp"]
    await client.delete(PODS, "placed", namespace, grace_period_seconds=0)
    assert await _gone(client, PODS, "placed", namespace)


async def a_disruption_budget_refuses_an_eviction(client: Client, namespace: str) -> None:
    await client.create(PODS, pod(namespace))
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await client.merge_patch(PODS, "web", {"status": ready}, namespace, subresource="status")
    budget = {
        "metadata": {"namespace": namespace, "name": "all"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    await client.create(POD_DISRUPTION_BUDGETS, budget)
    with pytest.raises(TooManyRequests) as caught:
        await client.evict("web", namespace)
    assert caught.value.by_disruption_budget
    await client.delete(POD_DISRUPTION_BUDGETS, "all", namespace)

    async def evicted() -> bool:
        try:
            await client.evict("web", namespace)
        except TooManyRequests:
            return False
        except NotFound:
            return True
        return await _gone(client, PODS, "web", namespace)

    await _eventually(evicted)


async def what_only_a_gone_object_owns_is_collected(client: Client, namespace: str) -> None:
    owner = await client.create(CONFIG_MAPS, config_map(namespace, "owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    lease = {"metadata": {"namespace": namespace, "name": "owned", "ownerReferences": [reference]}, "spec": {}}
    await client.create(LEASES, lease)
    await client.create(LEASES, {"metadata": {"namespace": namespace, "name": "free"}, "spec": {}})
    await client.delete(CONFIG_MAPS, "owner", namespace)
    await _eventually(lambda: _gone(client, LEASES, "owned", namespace))
    assert not await _gone(client, LEASES, "free", namespace)


async def a_list_selects_by_label_and_field(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace, "one", {"app": "web"}))
    await client.create(CONFIG_MAPS, config_map(namespace, "two", {"app": "other"}))
    by_label = await client.list(CONFIG_MAPS, namespace=namespace, label_selector="app=web")
    by_name = await client.list(CONFIG_MAPS, namespace=namespace, field_selector="metadata.name=two")
    assert [obj["metadata"]["name"] for obj in by_label.items] == ["one"]
    assert [obj["metadata"]["name"] for obj in by_name.items] == ["two"]


async def a_watch_goes_on_where_a_list_ended(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace, "before", {"app": "web"}))
    listed = await client.list(CONFIG_MAPS, namespace=namespace, label_selector="app=web")
    await client.create(CONFIG_MAPS, config_map(namespace, "one", {"app": "web"}))
    await client.create(CONFIG_MAPS, config_map(namespace, "unseen"))
    await client.merge_patch(CONFIG_MAPS, "one", {"metadata": {"labels": {"app": None}}}, namespace)
    events = client.watch(
        CONFIG_MAPS,
        namespace,
        resource_version=listed.resource_version,
        label_selector="app=web",
        timeout_seconds=30,
    )
    # An object that leaves the selection is gone for this watch.
    assert await _take(events, 2) == [("ADDED", "one"), ("DELETED", "one")]


async def a_streaming_list_tells_what_is_there_and_where_it_ends(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace, "there", {"app": "web"}))
    events = client.watch(
        CONFIG_MAPS,
        namespace,
        resource_version=None,
        label_selector="app=web",
        timeout_seconds=30,
        initial_events=True,
    )
    async with aclosing(events) as stream:
        kind, first = await anext(stream)
        assert (kind, key_of(first)) == ("ADDED", f"{namespace}/there")
        kind, mark = await anext(stream)
        assert kind == "BOOKMARK"
        assert annotations_of(mark)["k8s.io/initial-events-end"] == "true"
        await client.create(CONFIG_MAPS, config_map(namespace, "later", {"app": "web"}))
        async for kind, obj in stream:
            if kind != "BOOKMARK":
                assert (kind, key_of(obj)) == ("ADDED", f"{namespace}/later")
                return


async def a_deletion_is_told_with_a_version_of_its_own(client: Client, namespace: str) -> None:
    made = await client.create(CONFIG_MAPS, config_map(namespace))
    events = client.watch(
        CONFIG_MAPS, namespace, resource_version=made["metadata"]["resourceVersion"], timeout_seconds=30
    )
    await client.delete(CONFIG_MAPS, "one", namespace)
    async with aclosing(events) as stream:
        async for kind, obj in stream:
            if kind == "DELETED":
                assert int(version_of(obj)) > int(made["metadata"]["resourceVersion"])
                return


CHECKS: Final[tuple[Check, ...]] = (
    a_write_over_an_old_version_conflicts,
    a_write_that_changes_nothing_stores_nothing,
    a_name_is_taken_once,
    what_is_not_there_is_not_found,
    status_and_spec_are_written_apart,
    a_failed_test_of_a_json_patch_has_no_causes,
    a_merge_patch_removes_what_is_none,
    an_apply_creates_and_then_changes,
    a_deletion_has_preconditions,
    finalizers_keep_an_object_until_the_last_is_removed,
    a_pod_on_a_node_ends_gracefully_and_another_at_once,
    a_disruption_budget_refuses_an_eviction,
    what_only_a_gone_object_owns_is_collected,
    a_list_selects_by_label_and_field,
    a_watch_goes_on_where_a_list_ended,
    a_streaming_list_tells_what_is_there_and_where_it_ends,
    a_deletion_is_told_with_a_version_of_its_own,
)


async def _take(events: AsyncGenerator[tuple[str, Any], None], count: int) -> list[tuple[str, str]]:
    taken: list[tuple[str, str]] = []
    async with aclosing(events) as stream:
        async for kind, obj in stream:
            if kind != "BOOKMARK":
                taken.append((kind, obj["metadata"]["name"]))
            if len(taken) == count:
                break
    return taken


async def _gone(client: Client, resource: Any, name: str, namespace: str) -> bool:
    try:
        await client.get(resource, name, namespace)
    except NotFound:
        return True
    return False


async def _eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await check():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
