"""What only a real API server can say about the client: impersonation, dry runs, bookmarks and nulls."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import orjson
import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, Impersonation
from controller.runtime.client.core import CONFIG_MAPS, ENDPOINT_SLICES, PODS, SERVICES
from controller.runtime.client.errors import Forbidden, NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest, annotations_of
from controller.runtime.objects.endpoint_slice import SERVICE_NAME_LABEL, EndpointSlice
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.objects.pod import Pod
from e2e.plane import Plane

pytestmark = pytest.mark.plane

SELF = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)


@pytest.fixture
def settings(plane: Plane) -> ClientConfiguration:
    return ClientConfiguration.from_kubeconfig(plane.kubeconfig)


@pytest.fixture
async def client(settings: ClientConfiguration) -> AsyncIterator[Client]:
    async with Client(settings) as opened:
        yield opened


def pod(namespace: str) -> Manifest:
    spec = {"containers": [{"name": "main", "image": "x"}], "schedulingGates": [{"name": "example.com/wait"}]}
    return {"metadata": {"namespace": namespace, "name": "a"}, "spec": spec}


async def test_the_server_sees_whom_we_act_as(settings: ClientConfiguration) -> None:
    whom = Impersonation("jane", ("dev", "ops"), {"acme.com/scopes": ("view", "edit")}, uid="u-1")
    async with Client(replace(settings, impersonate=whom)) as impersonating:
        seen = (await impersonating.create(SELF, {}))["status"]["userInfo"]
        with pytest.raises(Forbidden, match="jane"):
            await impersonating.list(PODS)
    assert (seen["username"], seen["uid"]) == ("jane", "u-1")
    assert {"dev", "ops"} <= set(seen["groups"])
    assert seen["extra"]["acme.com/scopes"] == ["view", "edit"]


async def test_a_dry_run_answers_and_keeps_nothing(client: Client, namespace: str) -> None:
    made = await client.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace, dry_run=True)
    assert made["metadata"]["uid"]
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "a", namespace)
    kept = await client.create(CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"x": "1"}}, namespace)
    await client.delete(CONFIG_MAPS, "a", namespace, dry_run=True)
    changed = await client.merge_patch(CONFIG_MAPS, "a", {"data": {"x": "2"}}, namespace, dry_run=True)
    assert changed["data"] == {"x": "2"}
    assert await client.get(CONFIG_MAPS, "a", namespace) == kept


async def test_a_watch_of_pods_begins_with_those_that_are_there(client: Client, namespace: str) -> None:
    await client.create(PODS, pod(namespace))
    events = client.watch(PODS, namespace, resource_version=None, initial_events=True, timeout_seconds=30, into=Pod)
    async with aclosing(events) as stream:
        kind, first = await anext(stream)
        assert isinstance(first, Pod)
        assert (kind, first.spec.scheduling_gates[0].name) == ("ADDED", "example.com/wait")
        kind, bookmark = await anext(stream)
    assert (kind, type(bookmark)) == ("BOOKMARK", PartialObject)
    assert annotations_of(bookmark) == {"k8s.io/initial-events-end": "true"}


async def test_a_slice_without_endpoints_is_written_as_null_and_read_as_empty(client: Client, namespace: str) -> None:
    metadata = {"name": "a", "labels": {SERVICE_NAME_LABEL: "a"}}
    empty = {"metadata": metadata, "addressType": "IPv4", "endpoints": None, "ports": None}
    await client.create(ENDPOINT_SLICES, empty, namespace)
    raw = orjson.loads(await client.request("GET", ENDPOINT_SLICES.path(namespace, "a")))
    assert (raw["endpoints"], raw["ports"]) == (None, None)
    found = await client.get(ENDPOINT_SLICES, "a", namespace, into=EndpointSlice)
    assert (found.endpoints, found.ports, found.address_type) == ((), (), "IPv4")


async def test_a_list_without_items(client: Client, namespace: str) -> None:
    found = await client.list(SERVICES, namespace, into=PartialObject)
    assert found.items == []
    assert found.resource_version


async def test_names_that_would_name_another_path_do_not(client: Client, namespace: str) -> None:
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "kube-root-ca.crt?x=/../b", namespace)
