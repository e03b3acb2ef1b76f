"""TLS: the authority is checked, client certificates are shown, the name can be set."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import orjson
import pytest
from aiohttp import web

from controller.runtime.certs.authority import Authority, ServingCertificate, issue_leaf, make_authority
from controller.runtime.certs.serving import server_context
from controller.runtime.client import transport
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError, ExecPlugin
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import ApiError, NotFound, Timeout, Unavailable
from controller.runtime.clock import RealClock
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import SkippingClock

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


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def write_pair(certificate: Path, key: Path, made: ServingCertificate) -> None:
    write(certificate, made.certificate_pem)
    write(key, made.private_key_pem)


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


async def test_a_rotated_client_certificate_is_shown_on_a_new_connection(
    server: str, authority: Authority, tmp_path: Path
) -> None:
    clock = SkippingClock()
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    settings = ClientConfiguration(
        server,
        ca=authority.certificate_pem,
        client_certificate=str(certificate),
        client_key=str(key),
        tls_server_name="api.test",
    )
    write_pair(certificate, key, issue_leaf(authority, ["me"], RealClock().now(), DAY, purpose="client"))
    async with Client(settings, clock=clock) as client:
        assert b"'me'" in await client.request("GET", "/")
        write_pair(certificate, key, issue_leaf(authority, ["you"], RealClock().now(), DAY, purpose="client"))
        assert b"'me'" in await client.request("GET", "/")
        clock.tick(60)
        assert b"'you'" in await client.request("GET", "/")


async def test_a_rotated_authority_is_found_by_the_repetition(
    server: str, authority: Authority, tmp_path: Path
) -> None:
    trusted = tmp_path / "ca.crt"
    write(trusted, make_authority("old", RealClock().now(), DAY).certificate_pem)
    settings = ClientConfiguration(server, ca=str(trusted), tls_server_name="api.test")
    clock = SkippingClock()
    async with Client(settings, clock=clock) as client:
        write(trusted, authority.certificate_pem)
        assert await client.request("GET", "/")
    assert len(clock.slept) == 1  # the first attempt was refused, and made it look at the file


async def test_an_exec_plugin_may_answer_with_a_certificate(server: str, authority: Authority, tmp_path: Path) -> None:
    mine = issue_leaf(authority, ["plugin"], RealClock().now(), DAY, purpose="client")
    status = {
        "clientCertificateData": mine.certificate_pem.decode(),
        "clientKeyData": mine.private_key_pem.decode(),
    }
    version = "client.authentication.k8s.io/v1"
    write(tmp_path / "answer", orjson.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))
    settings = ClientConfiguration(
        server,
        ca=authority.certificate_pem,
        tls_server_name="api.test",
        plugin=ExecPlugin(version, "cat", (str(tmp_path / "answer"),)),
    )
    assert "'plugin'" in await _ask(settings)


@pytest.mark.parametrize("path", ["no-slash", "/a b", "/a\r\nX: y", "/a?x=y", "/a#b", "/ü"])
async def test_a_path_that_is_not_encoded_is_refused(path: str) -> None:
    async with Client(ClientConfiguration("http://127.0.0.1:1")) as client:
        with pytest.raises(ValueError, match="quote it"):
            await client.request("GET", path)


async def test_a_path_before_every_path(api: FakeApiServer) -> None:
    async with Client(ClientConfiguration(f"{api.url}/clusters/a/")) as client:
        with pytest.raises(NotFound):
            await client.request("GET", "/api/v1/pods", params={"x": "a/b&c"})
    assert (api.seen[-1].path, api.seen[-1].query) == ("/clusters/a/api/v1/pods", {"x": "a/b&c"})


async def test_what_every_request_carries(api: FakeApiServer) -> None:
    async with Client(ClientConfiguration(api.url, token="t"), user_agent="me/1") as client:
        await client.list(NODES)
    sent = api.seen[-1].headers
    assert (sent["User-Agent"], sent["Accept"], sent["Accept-Encoding"]) == ("me/1", "application/json", "identity")
    assert (sent["Authorization"], "Content-Type" in sent) == ("Bearer t", False)


async def test_requests_wait_for_a_slot_in_order(api: FakeApiServer) -> None:
    names = [f"n{number}" for number in range(20)]
    async with (
        Client(ClientConfiguration(api.url), max_connections=1) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for name in names:
            tasks.create_task(client.create(NODES, {"metadata": {"name": name}}))
    assert [orjson.loads(seen.body)["metadata"]["name"] for seen in api.seen] == names


async def test_a_client_is_entered_once(api: FakeApiServer) -> None:
    async with Client(ClientConfiguration(api.url)) as client:
        with pytest.raises(RuntimeError, match="open already"):
            await client.__aenter__()


@pytest.mark.parametrize(
    ("error", "want", "reason"),
    [
        pytest.param(aiohttp.ConnectionTimeoutError(), Unavailable, "ConnectionFailed", id="no connection in time"),
        pytest.param(TimeoutError(), Timeout, "ClientTimeout", id="no answer in time"),
        pytest.param(ssl.SSLError("alert"), Unavailable, "CertificateRefused", id="a refused certificate"),
        pytest.param(aiohttp.ServerDisconnectedError(), Unavailable, "ConnectionFailed", id="a broken connection"),
        pytest.param(ConnectionResetError(), Unavailable, "ConnectionFailed", id="a reset"),
    ],
)
def test_what_goes_wrong_below_http_has_a_type(error: Exception, want: type[ApiError], reason: str) -> None:
    found = transport._failure(transport.HttpRequest("PUT", "/a"), error)
    assert (type(found), found.status, found.reason) == (want, 0, reason)
    assert "PUT /a" in str(found)


def test_material_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match="TLS material"):
        Client(ClientConfiguration("https://a", ca=b"garbage"))


async def test_the_runtime_names_no_product_of_its_own_accord(api: FakeApiServer) -> None:
    async with Client(ClientConfiguration(api.url)) as client:
        await client.list(NODES)
    assert api.seen[-1].headers["User-Agent"] == "controller-runtime-python"
