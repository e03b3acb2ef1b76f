"""A real API server converts through two replicas of ours: while one is killed, and while certificates rotate."""

import asyncio
import base64
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from controller.runtime.client.errors import ApiError, Invalid
from e2e.plane import Plane
from tests.integration.certificates.load import Load, handshake
from tests.integration.runtime.gadgets import World, world

pytestmark = [pytest.mark.plane, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(plane: Plane) -> AsyncIterator[World]:
    """Two replicas behind the balancer, before and after every test. Objects are named for their test."""
    namespace = "runtime-webhooks"
    await asyncio.to_thread(plane.admin.create, "/api/v1/namespaces", {"metadata": {"name": namespace}})
    async with world(plane, namespace) as started:
        yield started
    await asyncio.to_thread(plane.admin.delete, f"/api/v1/namespaces/{namespace}")


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what other processes do
            await asyncio.sleep(0.05)


async def read(made: World, name: str) -> None:
    obj = await made.client.get(made.resource("v2"), name, made.namespace)
    assert obj["spec"]["sizes"]


async def test_both_versions_are_read_and_written(made: World) -> None:
    for number in range(50):
        await made.create(f"both-{number}", number)
    for version, want in (("v1", {"size": 7}), ("v2", {"sizes": [7]})):
        obj = await made.client.get(made.resource(version), "both-7", made.namespace)
        assert (obj["apiVersion"], obj["spec"]) == (f"{made.group}/{version}", want)
    found = (await made.client.list(made.resource("v2"), made.namespace)).items
    sizes = [obj["spec"]["sizes"][0] for obj in found if obj["metadata"]["name"].startswith("both-")]
    assert sorted(sizes) == list(range(50))
    await made.client.merge_patch(made.resource("v2"), "both-7", {"spec": {"sizes": [70]}}, made.namespace)
    assert (await made.client.get(made.resource("v1"), "both-7", made.namespace))["spec"] == {"size": 70}
    assert set(made.balancer.statistics().accepted) >= {replica.port for replica in made.replicas}


async def test_what_cannot_be_converted_is_named_to_whoever_asked(made: World) -> None:
    await made.create("two")
    with pytest.raises(ApiError) as caught:
        await made.client.merge_patch(made.resource("v2"), "two", {"spec": {"sizes": [1, 2]}}, made.namespace)
    assert f"Gadget {made.namespace}/two to {made.group}/v1: spec.sizes [1, 2]: v1 holds one size" in str(caught.value)
    assert not isinstance(caught.value, Invalid)


HEAD = b"POST /convert HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
GARBAGE = {
    b"\x16\x03garbage\r\n\r\n": b"400",
    b"GET /convert HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n": b"405",
    b"POST /convert HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n": b"415",
    HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\n{": b"400",
    HEAD + b"Content-Length: 999999999\r\n\r\n": b"413",
}


async def test_garbage_gets_a_4xx_and_reads_go_on(made: World) -> None:
    await made.create("clean")
    trusting = ssl.create_default_context(cadata=base64.b64decode(made.keeper.ca_bundle).decode())
    answers = []
    for sent in GARBAGE:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.balancer.port, ssl=trusting)
        writer.write(sent)
        async with asyncio.timeout(30):
            answers.append((await reader.read()).split(b" ")[1])
        writer.close()
    assert answers == list(GARBAGE.values())
    await read(made, "clean")


async def test_no_read_fails_after_a_replica_was_killed(made: World) -> None:
    """Requests that the killed one was working on are lost, and the API server says so: it does not repeat a review."""
    await made.create("survives")
    load = Load()
    killed, kept = made.replicas
    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(load.repeat("read", lambda: read(made, "survives")))
        await until(lambda: made.balancer.statistics().open.get(killed.port, 0) > 0)
        await until(lambda: load.tries > 100)
        await made.end_replica(killed, signal.SIGKILL)
        await until(lambda: killed.port not in made.balancer.statistics().open)
        # The API server hears of the broken connections a moment after the balancer.
        broken = load.tries
        await until(lambda: load.tries > broken + 2 * 20)
        over, before = time.monotonic(), load.tries
        await until(lambda: load.tries > before + 500)
        load.stop.set()
    late = [text for began, text in load.failures if began > over]
    print(f"{load.tries} reads, {len(load.failures)} lost with the replica, {len(late)} later: {load.failures[:3]}")
    assert late == []
    assert len(load.failures) <= 20
    assert made.balancer.statistics().passed_over > 0 or made.balancer.statistics().open == {kept.port: 1}
    made.balancer.remove(killed.port)
    await made.start_replica()


async def test_no_read_fails_when_replicas_are_replaced_in_order(made: World) -> None:
    await made.create("stays")
    load = Load()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(load.repeat("read", lambda: read(made, "stays")))
        for old in tuple(made.replicas):
            await made.start_replica()
            await made.end_replica(old, signal.SIGTERM)
            made.balancer.remove(old.port)
        before = load.tries
        await until(lambda: load.tries > before + 200)
        load.stop.set()
    print(f"{load.tries} reads over two replacements")
    assert load.failures == []


@pytest.mark.timeout(240)
async def test_nothing_fails_while_leaf_and_authority_are_rotated(made: World) -> None:
    load = Load()

    async def change(name: str, size: int) -> None:
        await made.client.merge_patch(made.resource("v2"), name, {"spec": {"sizes": [size]}}, made.namespace)
        assert (await made.client.get(made.resource("v1"), name, made.namespace))["spec"] == {"size": size}
        await read(made, name)

    async def connect() -> None:
        await handshake(made.plane, f"gadgets.{made.group}", "127.0.0.1", made.balancer.port)

    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            await made.create(f"g{number}")
            tasks.create_task(load.repeat("change", lambda name=f"g{number}", size=number: change(name, size)))  # type: ignore[misc]
        tasks.create_task(load.repeat("connect", connect))
        await until(lambda: load.tries > 100)
        first = made.keeper.certificate
        assert first is not None
        await made.empty("tls.crt")
        await until(lambda: made.keeper.certificate != first)
        renewed = made.keeper.certificate
        await made.empty("ca.key")
        await until(lambda: authorities(made) == 2)
        await until(lambda: authorities(made) == 1)
        before = load.tries
        await until(lambda: load.tries > before + 100)
        load.stop.set()
    last = made.keeper.certificate
    print(f"{load.tries} rounds of read and write, bundle published {made.published} times: {load.failures[:3]}")
    assert load.failures == []
    assert renewed is not None
    assert last is not None
    assert renewed.authority_pem == first.authority_pem
    assert last.authority_pem not in (first.authority_pem, renewed.authority_pem)
    assert len({first.certificate_pem, renewed.certificate_pem, last.certificate_pem}) == 3


def authorities(made: World) -> int:
    return 0 if made.keeper.certificate is None else made.keeper.certificate.authority_pem.count(b"BEGIN")
