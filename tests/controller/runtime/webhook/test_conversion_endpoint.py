"""Conversions asked of a running server: success, refusal, bugs, and a large list that keeps nobody waiting."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from controller.runtime.certs.authority import Authority, make_authority
from controller.runtime.clock import RealClock
from controller.runtime.manifest import Manifest
from controller.runtime.webhook.conversion import ConversionFailed
from controller.runtime.webhook.server import WebhookServer
from tests.controller.runtime.webhook.running import DAY, leaf, post, serving, session_of


def handler(desired: str, objects: list[Manifest]) -> list[Manifest]:
    for obj in objects:
        if obj["metadata"]["name"] == "refused":
            raise ConversionFailed("size 9 has no place in v2; make it smaller")
        if obj["metadata"]["name"] == "bug":
            raise KeyError("size")
        if obj["metadata"]["name"] == "slow":
            time.sleep(0.15)  # as a handler does that computes
        obj["apiVersion"] = desired
    return objects


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("webhooks", RealClock().now(), 10 * DAY)


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[WebhookServer]:
    made = WebhookServer("127.0.0.1", 0, leaf(authority))
    made.handle_conversion("/convert", handler)
    async with serving(made):
        yield made


@pytest.fixture
async def session(server: WebhookServer, authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    async with session_of(server, authority) as opened:
        yield opened


def review(*names: str, data: str = "") -> bytes:
    objects = [
        {"apiVersion": "e/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": {"data": data}} for name in names
    ]
    request = {"uid": "u", "desiredAPIVersion": "e/v2", "objects": objects}
    return orjson.dumps({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request})


async def convert(session: aiohttp.ClientSession, body: bytes, path: str = "/convert") -> Any:
    status, answer = await post(session, body, path)
    assert status == 200
    return orjson.loads(answer)["response"]


async def test_objects_come_back_in_the_other_version(session: aiohttp.ClientSession, server: WebhookServer) -> None:
    response = await convert(session, review("a", "b"))
    assert (response["uid"], response["result"]) == ("u", {"status": "Success"})
    assert [(obj["apiVersion"], obj["metadata"]["name"]) for obj in response["convertedObjects"]] == [
        ("e/v2", "a"),
        ("e/v2", "b"),
    ]
    assert server.statistics().converted == 2


@pytest.mark.parametrize(
    ("name", "want"),
    [
        pytest.param("refused", "Gadget refused to e/v2: size 9 has no place in v2; make it smaller", id="a refusal"),
        pytest.param("bug", "Gadget bug to e/v2: the handler failed with KeyError", id="a bug"),
    ],
)
async def test_one_that_cannot_be_converted_is_named(
    session: aiohttp.ClientSession, server: WebhookServer, name: str, want: str
) -> None:
    response = await convert(session, review("a", name, "b"))
    assert response["result"] == {"status": "Failure", "message": want}
    assert response["convertedObjects"] == []
    assert server.statistics().failed == 1


async def test_what_is_no_review_is_a_400(session: aiohttp.ClientSession, server: WebhookServer) -> None:
    status, text = await post(session, b"{}", "/convert")
    assert (status, server.statistics().malformed) == (400, 1)
    assert b"ConversionReview" in text


async def test_the_time_that_was_asked_for_is_kept(session: aiohttp.ClientSession) -> None:
    response = await convert(session, review("slow", *map(str, range(99))), "/convert?timeout=0.1s")
    assert response["result"]["status"] == "Failure"
    assert "not within 0.1 s for 100 objects" in response["result"]["message"]


async def test_others_are_served_while_a_large_list_is_converted(session: aiohttp.ClientSession) -> None:
    many = review(*map(str, range(8000)), data="x" * 2000)  # 16 MB
    async with asyncio.TaskGroup() as tasks:
        large = tasks.create_task(convert(session, many, "/convert?timeout=30s"))
        small = 0
        while not large.done():
            await convert(session, review("a"))
            small += 1
    assert len((await large)["convertedObjects"]) == 8000
    assert small > 5
