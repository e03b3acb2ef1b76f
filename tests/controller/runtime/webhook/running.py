"""A webhook server that runs, its certificates, reviews for it and what it counts."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any

import aiohttp
import orjson

from controller.runtime.certs.authority import Authority, ServingCertificate, issue_leaf
from controller.runtime.clock import RealClock
from controller.runtime.webhook.server import WebhookServer

DAY = timedelta(days=1)


def leaf(authority: Authority) -> ServingCertificate:
    return issue_leaf(authority, ["127.0.0.1"], RealClock().now(), DAY)


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate_pem.decode())


@asynccontextmanager
async def serving(server: WebhookServer) -> AsyncIterator[WebhookServer]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run())
        await server.wait_started(30)
        yield server
        task.cancel()
    assert not server.serving


@asynccontextmanager
async def session_of(server: WebhookServer, authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=trusting(authority))
    async with aiohttp.ClientSession(f"https://127.0.0.1:{server.port}", connector=connector) as opened:
        yield opened


def review(name: str, **more: Any) -> bytes:
    request = {"uid": "u", "operation": "CREATE", "name": name, "userInfo": {"username": "eve"}, **more}
    return orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


async def post(session: aiohttp.ClientSession, body: bytes, path: str = "/pods", **headers: str) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", **headers}
    async with session.post(path, data=BytesIO(body), headers=headers) as answer:
        return answer.status, await answer.read()
