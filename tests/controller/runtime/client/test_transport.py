"""TLS: the authority is checked, client certificates are shown, the name can be set."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from controller.runtime.certs.authority import Authority, ServingCertificate, issue_leaf, make_authority
from controller.runtime.certs.serving import server_context
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError
from controller.runtime.client.errors import Unavailable
from controller.runtime.clock import RealClock

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("test", RealClock().now(), 10 * DAY)


def _leaf(authority: Authority, name: str) -> ServingCertificate:
    return issue_leaf(authority, [name], RealClock().now(), DAY)


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[str]:
    """An https server for the name `api.test` whose answer is the client's certificate subject."""
    context = server_context(_leaf(authority, "api.test"))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=authority.certificate_pem.decode())

    async def answer(request: web.Request) -> web.Response:
        shown = request.get_extra_info("peercert") or {}
        return web.json_response({"subject": str(shown.get("subject"))})

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _ask(configuration: ClientConfiguration) -> str:
    async with Client(configuration) as client:
        return (await client.request("GET", "/")).decode()


async def test_a_trusted_server_under_its_name(server: str, authority: Authority) -> None:
    settings = ClientConfiguration(server, ca=authority.certificate_pem, tls_server_name="api.test")
    assert "None" in await _ask(settings)


async def test_another_name_is_refused(server: str, authority: Authority) -> None:
    async with Client(ClientConfiguration(server, ca=authority.certificate_pem)) as client:
        with pytest.raises(Unavailable, match="CertificateRefused"):
            await client.request("POST", "/")


async def test_another_authority_is_refused(server: str) -> None:
    other = make_authority("other", datetime.now(UTC), DAY)
    settings = ClientConfiguration(server, ca=other.certificate_pem, tls_server_name="api.test")
    async with Client(settings) as client:
        with pytest.raises(Unavailable, match="CertificateRefused"):
            await client.request("POST", "/")


async def test_verification_can_be_switched_off(server: str) -> None:
    assert await _ask(ClientConfiguration(server, insecure_skip_tls_verify=True))


async def test_a_client_certificate_is_shown(server: str, authority: Authority) -> None:
    mine = issue_leaf(authority, ["me"], RealClock().now(), DAY, purpose="client")
    settings = ClientConfiguration(
        server,
        ca=authority.certificate_pem,
        client_certificate=mine.certificate_pem,
        client_key=mine.private_key_pem,
        tls_server_name="api.test",
    )
    assert "'me'" in await _ask(settings)


def test_material_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match="TLS material"):
        Client(ClientConfiguration("https://a", ca=b"garbage"))
