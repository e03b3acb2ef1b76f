"""Informers of a real API server: what they hold is what is there, whatever became of the server meanwhile."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import orjson
import pytest

from controller.runtime.cache import reflection
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CONFIG_MAPS, NAMESPACES, PODS
from controller.runtime.client.decoding import decode_into
from controller.runtime.client.errors import AlreadyExists, Forbidden, NotFound, Timeout, Unavailable
from controller.runtime.manifest import Manifest, key_of
from controller.runtime.objects.pod import Pod
from e2e.plane import Plane
from e2e.plane.components import APISERVER, ETCD
from tests.integration.runtime.conftest import create_all

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240)]

CONFIGS = 2_000
SETTLE_SECONDS = 90.0


@pytest.fixture
async def client(own_plane: Plane) -> AsyncIterator[Client]:
    async with Client(ClientConfiguration.from_kubeconfig(own_plane.kubeconfig)) as opened:
        yield opened


@pytest.fixture
async def namespace(client: Client, request: pytest.FixtureRequest) -> str:
    name = f"informers-{abs(hash(request.node.nodeid)) % 1_000_000}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return name


@asynccontextmanager
async def running(*informers: Informer[Any]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(informer.run()) for informer in informers]
        for informer in informers:
            await informer.wait_synced(SETTLE_SECONDS)
        yield
        for task in started:
            task.cancel()


def config(namespace: str, name: str, value: int = 0) -> Manifest:
    labels = {"app": f"app-{value % 7}"}
    return {"metadata": {"namespace": namespace, "name": name, "labels": labels}, "data": {"value": str(value)}}


def admins(plane: Plane, path: str) -> dict[str, Manifest]:
    """What the harness's own client finds there, without managedFields."""
    listed = plane.admin.get(path)
    found = {}
    for item in listed["items"]:
        item["metadata"].pop("managedFields", None)
        found[key_of(item)] = {"apiVersion": "v1", "kind": listed["kind"].removesuffix("List"), **item}
    return found


async def settled(informer: Informer[Any], plane: Plane, path: str) -> None:
    """Wait until the informer holds what the server has; then compare, so that a difference is shown."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                if informer.store.snapshot() == await asyncio.to_thread(admins, plane, path):
                    return  # a later look might find what somebody else has just written
                await asyncio.sleep(0.2)
    assert dict(informer.store.snapshot()) == admins(plane, path)


@pytest.mark.parametrize("streaming", [pytest.param(True, id="by stream"), pytest.param(False, id="by pages")])
async def test_two_thousand_objects_are_those_of_the_server(
    own_plane: Plane, client: Client, namespace: str, streaming: bool
) -> None:
    await create_all(client, CONFIG_MAPS, (config(namespace, f"c-{number}", number) for number in range(CONFIGS)))
    informer = Informer(client, CONFIG_MAPS, namespace=namespace, streaming=streaming)
    async with running(informer):
        # pages come from the API server's cache, which may be behind: the watch brings the rest
        await settled(informer, own_plane, f"/api/v1/namespaces/{namespace}/configmaps")
    found = informer.statistics().reflection
    assert (found.streams, found.lists, found.failures) == ((1, 0, 0) if streaming else (0, 1, 0))


async def churn(client: Client, namespace: str, rng: Random) -> None:
    """Create, change and delete until cancelled; go on when nobody answers."""
    while True:
        name = f"churn-{rng.randrange(300)}"
        try:
            match rng.randrange(3):
                case 0:
                    await client.create(CONFIG_MAPS, config(namespace, name))
                case 1:
                    patch = {"data": {"value": str(rng.random())}}
                    await client.merge_patch(CONFIG_MAPS, name, patch, namespace)
                case _:
                    await client.delete(CONFIG_MAPS, name, namespace)
        except (AlreadyExists, NotFound, Forbidden):
            pass  # the names are drawn; a server that has just started may refuse before it knows its roles
        except (Timeout, Unavailable):
            await asyncio.sleep(0.05)


async def test_an_api_server_restarted_under_churn(own_plane: Plane, client: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    informer = Informer(client, CONFIG_MAPS, namespace=namespace)
    mirror: dict[str, Manifest] = {}

    def follow(event: StoreEvent) -> None:
        assert event.old is mirror.get(event.key) or event.new is None
        if event.new is None:
            del mirror[event.key]
        else:
            mirror[event.key] = event.new

    informer.add_handler(follow)
    async with running(informer):
        async with asyncio.TaskGroup() as tasks:
            writers = [tasks.create_task(churn(client, namespace, Random(seed))) for seed in range(4)]
            for _ in range(2):
                await asyncio.sleep(1.0)
                await asyncio.to_thread(own_plane.kill, APISERVER)
                await asyncio.sleep(1.0)
                await asyncio.to_thread(own_plane.start_component, APISERVER)
            await asyncio.sleep(1.0)
            for writer in writers:
                writer.cancel()
        await settled(informer, own_plane, path)
    found = informer.statistics()
    assert mirror == dict(informer.store.snapshot())
    assert (found.handler_failures, found.reflection.failures > 0) == (0, True)


def pod(namespace: str, name: str) -> Manifest:
    container = {
        "name": "main",
        "image": "registry.example/main:1",
        "resources": {"requests": {"cpu": "100m", "memory": "1Mi"}, "limits": {"memory": "2Mi"}},
        "env": [{"name": "A", "value": "b"}],
    }
    toleration = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    metadata = {"namespace": namespace, "name": name, "labels": {"app": "a"}, "annotations": {"note": "n"}}
    return {"metadata": metadata, "spec": {"containers": [container], "tolerations": [toleration]}}


async def test_typed_pods_are_the_untyped_ones(own_plane: Plane, client: Client, namespace: str) -> None:
    # Admission wants it, and no controller runs that would make it.
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await asyncio.to_thread(own_plane.admin.create, accounts, {"metadata": {"name": "default"}})
    await create_all(client, PODS, (pod(namespace, f"p-{number}") for number in range(50)))
    untyped = Informer(client, PODS, namespace=namespace)
    typed = Informer(client, PODS, namespace=namespace, into=Pod)
    changed = f"{namespace}/p-7"

    def agree() -> bool:
        held = typed.store.snapshot()
        return held[changed].metadata.labels["app"] == "changed" and held == decoded(untyped)

    async with running(untyped, typed):
        await client.merge_patch(PODS, "p-7", {"metadata": {"labels": {"app": "changed"}}}, namespace)
        async with asyncio.timeout(SETTLE_SECONDS):
            while not agree():  # noqa: ASYNC110 - two informers at once are no event
                await asyncio.sleep(0.05)
    assert len(typed.store) == 50
    assert (typed.statistics().reflection.streams, typed.statistics().reflection.failures) == (1, 0)


def decoded(pods: Informer[Manifest]) -> dict[str, Pod]:
    return {key: decode_into(orjson.dumps(obj), Pod) for key, obj in pods.store.snapshot().items()}


async def test_a_watch_on_a_restored_etcd_does_not_wait_for_its_version(
    own_plane: Plane, client: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A real server accepts a watch from its future and keeps silent: only the check after it finds out.
    monkeypatch.setattr(reflection, "WATCH_AFTER_ABSENCE_SECONDS", (5, 6))
    monkeypatch.setattr(reflection, "SILENT_WATCH_SECONDS", 2.0)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    data, backup = own_plane.folder / "etcd", own_plane.folder / "etcd-backup"
    await client.create(CONFIG_MAPS, config(namespace, "kept"))
    await asyncio.to_thread(own_plane.kill, ETCD)
    shutil.copytree(data, backup)
    await asyncio.to_thread(own_plane.start_component, ETCD)
    informer = Informer(client, CONFIG_MAPS, namespace=namespace)
    async with running(informer):
        await create_all(client, CONFIG_MAPS, (config(namespace, f"lost-{number}") for number in range(500)))
        await settled(informer, own_plane, path)
        for component in (APISERVER, ETCD):
            await asyncio.to_thread(own_plane.kill, component)
        shutil.rmtree(data)
        backup.rename(data)
        async with asyncio.TaskGroup() as tasks:  # etcd is not looked upon as ready before the API server answers
            for component in (ETCD, APISERVER):
                tasks.create_task(asyncio.to_thread(own_plane.start_component, component))
        await settled(informer, own_plane, path)
        assert f"{namespace}/kept" in informer.store
        await client.create(CONFIG_MAPS, config(namespace, "later"))
        await settled(informer, own_plane, path)
    assert informer.statistics().reflection.streams == 2


async def test_a_server_without_streaming_lists() -> None:
    with Plane(arguments={APISERVER: ("--feature-gates=WatchList=false",)}) as older:
        async with Client(ClientConfiguration.from_kubeconfig(older.kubeconfig)) as client:
            informer = Informer(client, CONFIG_MAPS)
            async with running(informer):
                await client.create(CONFIG_MAPS, config("default", "later"))
                await settled(informer, older, "/api/v1/configmaps")
    found = informer.statistics().reflection
    assert (found.streams, found.lists, found.failures) == (0, 1, 1)
