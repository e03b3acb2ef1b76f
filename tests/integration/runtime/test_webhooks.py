"""A real API server converts through two replicas of ours: while one is killed, and while certificates rotate."""

import asyncio
import base64
import signal
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from controller.runtime.client.errors import ApiError, Invalid
from e2e.plane import Plane
from tests.integration.runtime.gadgets import SETTLE, World, world

pytestmark = pytest.mark.plane


@dataclass
class Load:
    """Clients that do one thing again and again; every failure with the moment at which its try began."""

    tries: int = 0
    failures: list[tuple[float, str]] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def repeat(self, act: Callable[[], Awaitable[object]]) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                await act()
            except (ApiError, OSError) as error:
                self.failures.append((began, f"{type(error).__name__}: {error}"))
            self.tries += 1
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what other processes do
            await asyncio.sleep(0.05)


async def read(made: World, name: str) -> None:
    obj = await made.client.get(made.resource("v2"), name, made.namespace)
    assert obj["spec"]["sizes"]


async def test_both_versions_are_read_and_written(plane: Plane, namespace: str) -> None:
    async with world(plane, namespace) as made:
        for number in range(50):
            await made.create(f"g{number}", number)
        for version, want in (("v1", {"size": 7}), ("v2", {"sizes": [7]})):
            obj = await made.client.get(made.resource(version), "g7", namespace)
            assert (obj["apiVersion"], obj["spec"]) == (f"{made.group}/{version}", want)
        found = await made.client.list(made.resource("v2"), namespace)
        assert sorted(obj["spec"]["sizes"][0] for obj in found.items) == list(range(50))
        await made.client.merge_patch(made.resource("v2"), "g7", {"spec": {"sizes": [70]}}, namespace)
        assert (await made.client.get(made.resource("v1"), "g7", namespace))["spec"] == {"size": 70}
        assert set(made.balancer.statistics().accepted) == {replica.port for replica in made.replicas}


async def test_what_cannot_be_converted_is_named_to_whoever_asked(plane: Plane, namespace: str) -> None:
    async with world(plane, namespace, replicas=1) as made:
        await made.create("g")
        with pytest.raises(ApiError) as caught:
            await made.client.merge_patch(made.resource("v2"), "g", {"spec": {"sizes": [1, 2]}}, namespace)
        assert f"Gadget {namespace}/g to {made.group}/v1: spec.sizes [1, 2]: v1 holds one size" in str(caught.value)
        assert not isinstance(caught.value, Invalid)


async def test_no_read_fails_after_a_replica_was_killed(plane: Plane, namespace: str) -> None:
    """Requests that the killed one was working on are lost, and the API server says so: it does not repeat a review."""
    async with world(plane, namespace) as made:
        await made.create("g")
        load = Load()
        killed, kept = made.replicas
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(load.repeat(lambda: read(made, "g")))
            await until(lambda: made.balancer.statistics().open.get(killed.port, 0) > 0)
            await asyncio.sleep(1)
            await killed.end(signal.SIGKILL)
            await until(lambda: killed.port not in made.balancer.statistics().open, 5)
            await asyncio.sleep(0.1)  # the API server hears of the broken connections a moment after the balancer
            over, before = time.monotonic(), load.tries
            await until(lambda: load.tries > before + 500)
            load.stop.set()
        late = [text for began, text in load.failures if began > over]
        print(f"{load.tries} reads, {len(load.failures)} lost with the replica, {len(late)} later: {load.failures[:3]}")
        assert late == []
        assert len(load.failures) <= 20
        assert made.balancer.statistics().passed_over > 0 or made.balancer.statistics().open == {kept.port: 1}


async def test_no_read_fails_when_replicas_are_replaced_in_order(plane: Plane, namespace: str) -> None:
    async with world(plane, namespace) as made:
        await made.create("g")
        load = Load()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(load.repeat(lambda: read(made, "g")))
            for old in tuple(made.replicas):
                await made.start_replica()
                await old.end(signal.SIGTERM)
                made.balancer.remove(old.port)
            before = load.tries
            await until(lambda: load.tries > before + 200)
            load.stop.set()
        print(f"{load.tries} reads over two replacements")
        assert load.failures == []


async def connect(made: World) -> None:
    """A new TLS connection that trusts what the CRD says now, as an API server that just started would."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{made.group}"
    crd = await asyncio.to_thread(made.plane.admin.get, path)
    bundle = base64.b64decode(crd["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"])
    trusting = ssl.create_default_context(cadata=bundle.decode())
    _, writer = await asyncio.open_connection("127.0.0.1", made.balancer.port, ssl=trusting)
    writer.close()


@pytest.mark.timeout(240)
async def test_nothing_fails_while_leaf_and_authority_are_rotated(plane: Plane, namespace: str) -> None:
    async with world(plane, namespace) as made:
        load = Load()

        async def change(name: str, size: int) -> None:
            await made.client.merge_patch(made.resource("v2"), name, {"spec": {"sizes": [size]}}, namespace)
            assert (await made.client.get(made.resource("v1"), name, namespace))["spec"] == {"size": size}
            await read(made, name)

        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                await made.create(f"g{number}")
                tasks.create_task(load.repeat(lambda name=f"g{number}", size=number: change(name, size)))  # type: ignore[misc]
            tasks.create_task(load.repeat(lambda: connect(made)))
            await until(lambda: load.tries > 100)
            first = made.keeper.certificate
            assert first is not None
            await made.empty("tls.crt")
            await until(lambda: made.keeper.certificate != first)
            renewed = made.keeper.certificate
            await made.empty("ca.key")
            await until(lambda: authorities(made) == 2, 30)
            await until(lambda: authorities(made) == 1, 10 * SETTLE)
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


HEAD = b"POST /convert HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
GARBAGE = {
    b"\x16\x03garbage\r\n\r\n": b"400",
    b"GET /convert HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n": b"405",
    b"POST /convert HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n": b"415",
    HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\n{": b"400",
    HEAD + b"Content-Length: 999999999\r\n\r\n": b"413",
}


async def test_garbage_gets_a_4xx_and_reads_go_on(plane: Plane, namespace: str) -> None:
    async with world(plane, namespace, replicas=1) as made:
        await made.create("g")
        trusting = ssl.create_default_context(cadata=base64.b64decode(made.keeper.ca_bundle).decode())
        answers = []
        for sent in GARBAGE:
            reader, writer = await asyncio.open_connection("127.0.0.1", made.balancer.port, ssl=trusting)
            writer.write(sent)
            async with asyncio.timeout(10):
                answers.append((await reader.read()).split(b" ")[1])
            writer.close()
        assert answers == list(GARBAGE.values())
        await read(made, "g")
