"""What the API server is told of the webhooks in each mode of certificates, with everything else as in the operator."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.entrypoints.operator_options import CertificateMode, OperatorOptions
from controller.entrypoints.operator_servers import OperatorServers
from controller.entrypoints.operator_webhooks import CONVERTED, POD_GATE
from controller.runtime.certs.authority import ServingCertificate, issue_leaf, make_authority
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CUSTOM_RESOURCE_DEFINITIONS, MUTATING_WEBHOOKS, SECRETS
from controller.runtime.clock import RealClock
from controller.runtime.manager import Manager
from controller.telemetry.metrics import Metrics
from tests.fakes.api_server import FakeApiServer

SERVICE = {"service": {"name": "aim-gpu-operator", "namespace": "aim-gpu-system", "path": "/as-installed"}}
URL = "https://127.0.0.1:1"
PATHS = ("/mutate-pod", "/convert", "/convert")


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        server.serve(SECRETS)
        yield server


def install(api: FakeApiServer, **config: Any) -> None:
    """The pod webhook and both definitions, with this in each clientConfig."""
    webhooks = [{"name": name, "clientConfig": dict(config)} for name in POD_GATE.paths]
    api.put(MUTATING_WEBHOOKS, {"metadata": {"name": POD_GATE.name}, "webhooks": webhooks})
    for name in CONVERTED:
        conversion = {"strategy": "Webhook", "webhook": {"clientConfig": dict(config)}}
        spec = {"versions": [{"name": "v1"}, {"name": "v2"}], "conversion": conversion}
        api.put(CUSTOM_RESOURCE_DEFINITIONS, {"metadata": {"name": name}, "spec": spec})


def told(api: FakeApiServer) -> list[dict[str, Any]]:
    """Every clientConfig."""
    (hooks,) = api.objects(MUTATING_WEBHOOKS).values()
    crds = [api.objects(CUSTOM_RESOURCE_DEFINITIONS)[name] for name in CONVERTED]
    return [
        *(webhook["clientConfig"] for webhook in hooks["webhooks"]),
        *(crd["spec"]["conversion"]["webhook"]["clientConfig"] for crd in crds),
    ]


def mount(folder: Path, *, authority: bool) -> ServingCertificate:
    now = RealClock().now()
    made = issue_leaf(make_authority("mounted", now, timedelta(days=9)), ["127.0.0.1"], now, timedelta(days=1))
    (folder / "tls.crt").write_bytes(made.certificate_pem)
    (folder / "tls.key").write_bytes(made.private_key_pem)
    if authority:
        (folder / "ca.crt").write_bytes(made.authority_pem)
    return made


@asynccontextmanager
async def serving(
    api: FakeApiServer, *, metrics: Metrics | None = None, **options: Any
) -> AsyncIterator[OperatorServers]:
    chosen = OperatorOptions(
        bind_host="127.0.0.1", webhook_port=0, health_port=0, metrics_port=0, metrics_plain=True, **options
    )
    stop, clock, manager = asyncio.Event(), RealClock(), Manager()
    async with Client(ClientConfiguration(server=api.url)) as client, asyncio.TaskGroup() as tasks:
        metrics = metrics or Metrics("operator")
        servers = OperatorServers(chosen, client, clock, metrics=metrics, reviews=client, manager=manager)
        tasks.create_task(manager.run(stop))
        try:
            async with asyncio.timeout(60):
                yield servers
        finally:
            stop.set()


async def test_its_own_certificate_is_published_with_its_url(api: FakeApiServer) -> None:
    install(api, **SERVICE)
    async with serving(api, webhook_url=URL) as servers:
        await servers.ports()
    (secret,) = api.objects(SECRETS).values()
    assert told(api) == [{"url": f"{URL}{path}", "caBundle": secret["data"]["ca.crt"]} for path in PATHS]


async def test_when_the_shown_certificate_ends_is_told(api: FakeApiServer, tmp_path: Path) -> None:
    install(api, **SERVICE)
    name = b'aim_certificate_expiration_timestamp_seconds{certificate="webhook"} '
    made = mount(tmp_path, authority=True)
    metrics = Metrics("operator")
    options = {"certificates": CertificateMode.FILES, "certificate_dir": tmp_path}
    async with serving(api, metrics=metrics, **options) as servers:
        await servers.ports()
        text = await metrics.exposition()
    assert name + repr(made.not_after.timestamp()).encode() + b"\n" in text


async def test_a_mounted_authority_is_published(api: FakeApiServer, tmp_path: Path) -> None:
    made = mount(tmp_path, authority=True)
    install(api, **SERVICE)
    async with serving(api, certificates=CertificateMode.FILES, certificate_dir=tmp_path) as servers:
        await servers.ports()
    assert told(api) == [{**SERVICE, "caBundle": made.ca_bundle}] * 3
    assert api.objects(SECRETS) == {}


@pytest.mark.parametrize("mode", [CertificateMode.FILES, CertificateMode.CERT_MANAGER])
async def test_a_bundle_that_somebody_else_put_in_stays(
    api: FakeApiServer, tmp_path: Path, mode: CertificateMode
) -> None:
    mount(tmp_path, authority=mode is CertificateMode.CERT_MANAGER)
    theirs = base64.b64encode(b"theirs").decode()
    install(api, **SERVICE, caBundle=theirs)
    async with serving(api, certificates=mode, certificate_dir=tmp_path, webhook_url=URL) as servers:
        await servers.ports()
    assert told(api) == [{"url": f"{URL}{path}", "caBundle": theirs} for path in PATHS]


async def test_under_olm_it_is_ready_without_configurations_of_ours_and_writes_nothing(
    api: FakeApiServer, tmp_path: Path
) -> None:
    mount(tmp_path, authority=True)
    async with serving(api, certificates=CertificateMode.OLM, certificate_dir=tmp_path) as servers:
        await servers.ports()
    install(api, **SERVICE)
    async with serving(api, certificates=CertificateMode.OLM, certificate_dir=tmp_path) as servers:
        await servers.ports()
    assert told(api) == [SERVICE] * 3


async def test_without_an_injected_bundle_it_is_not_ready_and_says_why(api: FakeApiServer, tmp_path: Path) -> None:
    mount(tmp_path, authority=True)
    install(api, **SERVICE)
    async with serving(api, certificates=CertificateMode.CERT_MANAGER, certificate_dir=tmp_path) as servers:
        said = await until_said(servers)
        assert "cert-manager.io/inject-ca-from" in said
        assert all(name in said for name in (POD_GATE.name, *CONVERTED))
        install(api, **SERVICE, caBundle="dGhlaXJz")
        await servers.ports()


async def until_said(servers: OperatorServers) -> str:
    """What readiness says of the registration, once it has looked."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        while True:
            if servers.health.port:
                async with session.get(f"http://127.0.0.1:{servers.health.port}/readyz") as answer:
                    text = await answer.text()
                if "has no caBundle" in text:
                    return text
            await asyncio.sleep(0.05)
