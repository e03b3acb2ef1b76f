"""Many objects through the conversion webhook: how fast, that none is lost, and what a replica's end costs."""

import asyncio
import base64
import io
import json
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from controller.runtime.client.errors import ApiError
from e2e.plane import Plane
from tests.builders.schema_strategy import examples
from tests.integration.conversion.etcd import Etcd
from tests.integration.conversion.serving import Object, Webhooks, at, listed, policies, services, webhooks
from tests.integration.runtime.gadgets import Replica

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

ALPHA, BETA = "v1alpha1", "v1beta1"
MANY = 5_000
#: Of these; the others are their copies in the store.
CREATED = 100
#: Objects a second of its processor's time, whatever else the machine does, that a replica must convert when it gets
#: many at once. How many it gets is the API server's choice.
RATE = 1_000
ALONE = 200

READERS = 10


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(installed_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Webhooks]:
    """Two replicas for all tests of this file."""
    async with webhooks(installed_plane, tmp_path_factory.mktemp("webhooks")) as started:
        yield started


def service(name: str, namespace: str, number: int) -> Object:
    """One that has something of everything."""
    container = {"name": "kserve-container", "image": f"model:{number}", "env": [{"name": "A", "value": "1"}]}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"number": str(number)}},
        "spec": {
            "model": {"id": "Qwen/Qwen3-8B", "precision": "fp8"},
            "replicas": number % 4,
            "gpuSharing": {"partition": {"minMemory": f"{number % 90 + 1}Gi"}},
            "predictor": {"containers": [container]},
        },
    }


async def test_a_list_of_five_thousand_comes_in_the_other_version(made: Webhooks, namespace: str) -> None:
    etcd = Etcd(made.plane)
    await made.create_all(services(BETA), [service(f"s{n}", namespace, n) for n in range(CREATED)])
    await asyncio.to_thread(etcd.clone, "inferenceservices", namespace, MANY // CREATED - 1)
    # Each version has a cache in the API server. What fills it, events and lists alike, is converted one by one:
    # without the cache that hears of all these copies as events, they are converted once.
    await asyncio.to_thread(forget, made.plane)
    began = time.monotonic()
    flat = (await made.client.list(services(ALPHA), namespace)).items
    cold = time.monotonic() - began
    began = time.monotonic()
    again = await listed(made.client, services(ALPHA), namespace)
    warm = time.monotonic() - began
    print(f"{MANY} as {ALPHA}: {cold:.2f} s to list them all ({MANY / cold:.0f}/s), {warm:.2f} s once they are cached")
    assert {item["metadata"]["name"] for item in again} == {item["metadata"]["name"] for item in flat}
    assert len({item["metadata"]["name"] for item in flat}) == MANY
    for item in flat:
        number = int(item["metadata"]["labels"]["number"])
        assert (item["spec"]["memoryGB"], item["spec"]["minInstances"]) == (str(number % 90 + 1), number % 4)
    together, alone = await converted_a_second(made, flat)
    print(f"{together:.0f} objects a second of one replica's processor, {alone:.0f} with a review for each")
    assert together >= RATE
    await asyncio.to_thread(etcd.delete_all, "inferenceservices", namespace)


def forget(plane: Plane) -> None:
    """Have the API server begin its storage of the kind anew, caches and all: as a change of the definition does."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.aim.amd.com"
    pointer = "/spec/versions/0/additionalPrinterColumns/0/description"
    before = at(plane.admin.get(path), pointer)
    for description in (f"{before}.", before):
        plane.admin.patch(path, [{"op": "replace", "path": pointer, "value": description}])


async def converted_a_second(made: Webhooks, objects: list[Object]) -> tuple[float, float]:
    """Objects that one replica converts to the hub in a second of its processor: all in one review, and one a review."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.aim.amd.com"
    crd = await asyncio.to_thread(made.plane.admin.get, path)
    config = crd["spec"]["conversion"]["webhook"]["clientConfig"]
    trusting = ssl.create_default_context(cadata=base64.b64decode(config["caBundle"]).decode())
    replica = made.replicas[0]
    url = f"https://127.0.0.1:{replica.port}/convert?timeout=30s"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
        before = processor_seconds(replica)
        await convert_each(session, url, [objects])
        between = processor_seconds(replica)
        await convert_each(session, url, [[obj] for obj in objects[:ALONE]])
        after = processor_seconds(replica)
    return len(objects) / (between - before), ALONE / (after - between)


def processor_seconds(replica: Replica) -> float:
    """How long the replica has computed since its start, on all its threads."""
    fields = Path(f"/proc/{replica.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def convert_each(session: aiohttp.ClientSession, url: str, batches: list[list[Object]]) -> None:
    """Have these converted, a review a batch, one after the other."""
    for batch in batches:
        request = {"uid": "u", "desiredAPIVersion": f"aim.amd.com/{BETA}", "objects": batch}
        review = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request}
        body, headers = io.BytesIO(json.dumps(review).encode()), {"Content-Type": "application/json"}
        async with session.post(url, data=body, headers=headers) as answer:
            content = await answer.read()
        response = json.loads(content)["response"]
        assert response["result"] == {"status": "Success"}
        assert len(response["convertedObjects"]) == len(batch)


async def test_generated_objects_come_back_as_they_were(made: Webhooks, namespace: str) -> None:
    """Written in each version, read and written back unchanged in the other, read again in the first."""
    counts = {}
    for resource in (services, policies):
        for first, other in ((ALPHA, BETA), (BETA, ALPHA)):
            drawn = examples(resource(first).kind, first, 50, 5)
            objects = [
                named(obj, f"{first}-{number}", resource(first).namespaced, namespace)
                for number, obj in enumerate(drawn)
            ]
            before = await made.create_all(resource(first), objects)
            async with asyncio.TaskGroup() as tasks:
                for stored in before:
                    tasks.create_task(there_and_back(made, resource, first, other, stored))
            counts[f"{resource.__name__} from {first}"] = len(before)
            if resource is policies:
                for stored in before:
                    await made.client.delete(resource(first), stored["metadata"]["name"])
    print(f"generated objects through the real webhook: {counts}")
    assert sum(counts.values()) == 200


def named(obj: Object, name: str, namespaced: bool, namespace: str) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespaced else {})}
    return {"metadata": metadata, "spec": obj["spec"]}


async def there_and_back(made: Webhooks, resource: Any, first: str, other: str, stored: Object) -> None:
    name, namespace = stored["metadata"]["name"], stored["metadata"].get("namespace")
    seen = await made.client.get(resource(other), name, namespace)
    await made.client.replace(resource(other), seen)
    after = await made.client.get(resource(first), name, namespace)
    assert after["spec"] == stored["spec"], name
    assert after["metadata"].get("annotations") == stored["metadata"].get("annotations"), name


@dataclass
class Readers:
    """Clients that read one object in the version that is not stored, again and again."""

    reads: int = 0
    failures: list[tuple[float, str]] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, made: Webhooks, name: str, namespace: str) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                found = await made.client.get(services(ALPHA), name, namespace)
                assert found["spec"]["modelId"]
            except ApiError as error:
                self.failures.append((began, str(error)))
            self.reads += 1
            await asyncio.sleep(0.005)

    async def until(self, more: int) -> None:
        wanted = self.reads + more
        while self.reads < wanted:  # noqa: ASYNC110 - what the readers count
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_read_fails_when_one_of_two_replicas_ends(
    made: Webhooks, namespace: str, number: signal.Signals
) -> None:
    """SIGKILL takes reviews with it that the replica was working on: the API server asks nobody else for these."""
    await made.client.create(services(BETA), service("r", namespace, 1))
    readers = Readers()
    killed = made.replicas[0]
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(60):
        for _ in range(READERS):
            tasks.create_task(readers.run(made, "r", namespace))
        await readers.until(300)
        before = readers.reads
        await killed.end(number)
        over = time.monotonic()
        await readers.until(1_000)
        readers.stop.set()
    made.replicas.remove(killed)
    made.balancer.remove(killed.port)
    late = [text for began, text in readers.failures if began > over]
    print(
        f"{number.name}: {readers.reads} reads, {readers.reads - before} of them after one of two replicas ended; "
        f"{len(readers.failures)} failed, {len(late)} of them begun later: {readers.failures[:2]}"
    )
    await made.start_replica()
    assert late == []
    assert len(readers.failures) <= (2 * READERS if number is signal.SIGKILL else 0)
