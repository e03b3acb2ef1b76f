"""The metrics endpoint asks a real API server about real tokens, with no more rights than it needs."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from controller.runtime.authorization import Authorizer
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.metrics_server import MetricsServer
from e2e.plane import Plane, service_account_token
from e2e.plane.components import APISERVER

pytestmark = pytest.mark.plane

RBAC = "rbac.authorization.k8s.io"


def account(plane: Plane, namespace: str, name: str) -> str:
    """A new ServiceAccount's token."""
    plane.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    return service_account_token(plane, namespace, name)


def binding(namespace: str, name: str, role: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{namespace}-{name}"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def readers(plane: Plane, namespace: str, *names: str) -> None:
    """Let these accounts read /metrics, and nothing else."""
    rules = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": namespace}, "rules": rules}
    plane.admin.apply([role, *(binding(namespace, name, namespace) for name in names)])


def expired(plane: Plane, token: str) -> str:
    """The same token as the API server would have issued it long ago, signed with its own key."""
    key = serialization.load_pem_private_key((plane.folder / "certificates" / "sa.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    head, claims, _ = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    for claim in ("exp", "iat", "nbf"):
        told[claim] -= 10 * 86400
    signed = f"{head}.{base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b'=').decode()}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def up() -> AsyncIterator[bytes]:
    yield b"up 1\n"


@asynccontextmanager
async def serving(plane: Plane, namespace: str) -> AsyncIterator[MetricsServer]:
    """The server, as an account that may ask who somebody is and what he may, and nothing else."""
    kubeconfig = plane.kubeconfig_for(account(plane, namespace, "operator"), f"{namespace}-operator")
    plane.admin.apply([binding(namespace, "operator", "system:auth-delegator")])
    async with Client(ClientConfiguration.from_kubeconfig(kubeconfig)) as client, asyncio.TaskGroup() as tasks:
        server = MetricsServer("127.0.0.1", 0, up, authorizer=Authorizer(client))
        task = tasks.create_task(server.run())
        await server.wait_started(30)
        yield server
        task.cancel()


async def get(server: MetricsServer, token: str) -> tuple[int, str]:
    connector = aiohttp.TCPConnector(ssl=False)  # the certificate is self-signed
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"https://127.0.0.1:{server.port}/metrics"
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_who_may_reads_and_others_are_told_why_not(plane: Plane, namespace: str) -> None:
    scraper, visitor = account(plane, namespace, "scraper"), account(plane, namespace, "visitor")
    readers(plane, namespace, "scraper")
    async with serving(plane, namespace) as server:
        assert await get(server, scraper) == (200, "up 1\n")
        status, text = await get(server, visitor)
        assert status == 403
        assert f"user 'system:serviceaccount:{namespace}:visitor' may not get /metrics" in text
        for token in ("", "garbage", expired(plane, scraper), scraper[:-4] + "AAAA"):
            status, text = await get(server, token)
            assert (status, "up 1" in text) == (401, False)


async def test_a_token_of_a_deleted_account_is_refused(plane: Plane, namespace: str) -> None:
    visitor = account(plane, namespace, "visitor")
    async with serving(plane, namespace) as server:
        plane.admin.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/visitor")
        await asyncio.to_thread(
            plane.wait_until, lambda: is_unknown(plane, visitor), "the API server knows that it is gone"
        )
        assert (await get(server, visitor))[0] == 401


def is_unknown(plane: Plane, token: str) -> bool:
    """Whether the API server itself would not let the token's owner in: it looks into a cache of its own."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    told = plane.admin.create("/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
    return not told.get("authenticated", False)


async def test_while_the_api_server_is_down_nobody_is_refused_and_known_ones_read_on(
    plane: Plane, namespace: str
) -> None:
    scraper, late = account(plane, namespace, "scraper"), account(plane, namespace, "late")
    readers(plane, namespace, "scraper", "late")
    async with serving(plane, namespace) as server:
        assert (await get(server, scraper))[0] == 200
        await asyncio.to_thread(plane.kill, APISERVER)
        try:
            async with asyncio.timeout(30):
                status, text = await get(server, late)
            assert status == 503
            assert "gave no answer" in text
            assert (await get(server, scraper))[0] == 200
        finally:
            await asyncio.to_thread(plane.start_component, APISERVER)
        assert (await get(server, late))[0] == 200
