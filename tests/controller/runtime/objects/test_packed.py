"""Packed objects are whole, and let go of the answer that they came in."""

import asyncio
from copy import deepcopy
from typing import Any

import orjson
import pytest
from msgspec import Raw

from controller.runtime.cache.informer import Informer
from controller.runtime.cache.sharing import share_strings
from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS
from controller.runtime.client.decoding import decode_into, decode_list
from controller.runtime.manifest import Manifest, key_of
from controller.runtime.objects.packed import PackedObject
from tests.controller.runtime.conftest import Eventually
from tests.fakes.api_server import FakeApiServer

METADATA: Manifest = {
    "name": "web-0",
    "generateName": "web-",
    "namespace": "team-a",
    "uid": "u",
    "resourceVersion": "12",
    "generation": 3,
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "deletionTimestamp": "2026-01-02T00:00:00Z",
    "deletionGracePeriodSeconds": 30,
    "labels": {"app": "web"},
    "annotations": {"note": "\u00e9"},
    "ownerReferences": [
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "web",
            "uid": "r",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ],
    "finalizers": ["example.com/wait"],
}
POD: Manifest = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": METADATA,
    "spec": {"nodeName": "n", "containers": [{"name": "main", "env": None, "args": ["\u00e9", '"']}], "priority": 0},
    "status": {"phase": "Running"},
}


class PackedConfigMap(PackedObject, frozen=True, kw_only=True):
    """With a config map's parts."""

    data: Raw = Raw()
    binary_data: Raw = Raw()


def managed(obj: Manifest) -> bytes:
    """As the wire has it."""
    return orjson.dumps({**obj, "metadata": {**obj["metadata"], "managedFields": [{"manager": "m" * 500}]}})


@pytest.mark.parametrize(
    ("into", "obj"),
    [
        pytest.param(PackedObject, POD, id="a pod"),
        pytest.param(PackedObject, {**POD, "status": {}, "spec": None}, id="parts that are empty or null are there"),
        pytest.param(PackedObject, {"kind": "Any", "metadata": {"name": "a"}}, id="nothing but a name"),
        pytest.param(
            PackedConfigMap,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": METADATA,
                "data": {"a": "b"},
                "binaryData": {"c": "ZA=="},
            },
            id="a kind with other parts",
        ),
    ],
)
def test_unpacked_is_what_came_without_managed_fields(into: type[PackedObject], obj: Manifest) -> None:
    found = decode_into(managed(obj), into)
    share_strings(found)
    assert found.unpacked() == obj
    assert decode_into(orjson.dumps(found.unpacked()), into) == found


def test_what_says_no_more_than_its_absence_is_left_out_of_the_metadata() -> None:
    metadata: Manifest = {
        "name": "a",
        "finalizers": [],
        "creationTimestamp": None,
        "ownerReferences": [{"uid": "r", "controller": False}],
    }
    found = decode_into(managed({"metadata": metadata}), PackedObject)
    assert found.unpacked() == {"metadata": {"name": "a", "ownerReferences": [{"uid": "r"}]}}


def test_parts_are_the_callers_own() -> None:
    found = decode_into(managed(POD), PackedObject)
    found.part("spec")["nodeName"] = "other"
    found.unpacked()["metadata"]["labels"]["app"] = "other"
    assert found.unpacked() == POD


@pytest.mark.parametrize("name", ["data", "metadata", "part"])
def test_a_part_that_cannot_be_is_named(name: str) -> None:
    with pytest.raises(KeyError, match=f"'{name}': no packed part of PackedObject"):
        decode_into(managed(POD), PackedObject).part(name)


def test_items_of_a_list_have_their_kind_and_hold_no_other_item() -> None:
    item = {name: value for name, value in POD.items() if name not in {"apiVersion", "kind"}}
    body = b'{"metadata":{"resourceVersion":"5"},"items":[' + managed(item) + b"," + managed(item) + b"]}"
    found = decode_list(body, PODS, PackedObject).items
    assert [one.unpacked() for one in found] == [POD, POD]
    assert bytes(found[0].spec) == orjson.dumps(POD["spec"])
    assert memoryview(found[0].spec).nbytes == len(orjson.dumps(POD["spec"]))


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "paged"])
async def test_an_informer_of_packed_objects(
    api: FakeApiServer, client: Client, eventually: Eventually, streaming: bool
) -> None:
    pods = Informer(client, PODS, into=PackedObject, streaming=streaming, indexes={"node": node_of}, checked=True)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(pods.run())
        api.put(PODS, deepcopy(POD))
        await eventually(lambda: pods.store.by_index("node", "n"))
        running.cancel()
    (found,) = pods.store.by_index("node", "n")
    assert (key_of(found), found.part("status")) == ("team-a/web-0", {"phase": "Running"})


def node_of(pod: PackedObject) -> list[Any]:
    return [pod.part("spec")["nodeName"]]
