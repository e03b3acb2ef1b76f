"""Credentials that go bad under way are an error that passes; at the first request they are the configuration's."""

import asyncio
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from controller.runtime.cache.informer import Informer
from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.certs.serving import server_context
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError, ExecPlugin
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import Unavailable
from controller.runtime.clock import RealClock
from tests.controller.runtime.conftest import Eventually
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import SkippingClock

EXEC = "client.authentication.k8s.io/v1"


def write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


async def test_a_token_with_a_line_end_passes_when_the_file_is_whole_again(api: FakeApiServer, tmp_path: Path) -> None:
    file, clock = tmp_path / "token", SkippingClock()
    write(file, "good")
    async with Client(ClientConfiguration(api.url, token_file=file), clock=clock) as client:
        await client.list(NODES)
        write(file, "to\nken")
        clock.tick(61)
        with pytest.raises(Unavailable, match=rf"NoCredential: token file {file}: .*correct its source") as caught:
            await client.create(NODES, {"metadata": {"name": "n"}})
        write(file, "better")
        await client.list(NODES)
    assert "ken" not in str(caught.value).replace("token", "")
    assert [one.headers["Authorization"] for one in api.seen] == ["Bearer good", "Bearer better"]


async def test_a_token_with_a_line_end_at_the_first_request_is_a_mistake(api: FakeApiServer, tmp_path: Path) -> None:
    write(tmp_path / "token", "to\nken")
    async with Client(ClientConfiguration(api.url, token_file=tmp_path / "token")) as client:
        with pytest.raises(ConfigurationError, match=rf"token file {tmp_path}/token: "):
            await client.list(NODES)


async def test_an_informer_outlives_a_token_with_a_line_end(
    api: FakeApiServer, tmp_path: Path, eventually: Eventually
) -> None:
    file, clock = tmp_path / "token", SkippingClock()
    write(file, "good")
    api.serve(NODES)
    async with (
        Client(ClientConfiguration(api.url, token_file=file), clock=clock) as client,
        asyncio.TaskGroup() as tasks,
    ):
        informer = Informer(client, NODES, clock=clock)
        running = tasks.create_task(informer.run())
        await informer.wait_synced(30)
        write(file, "to\nken")
        clock.tick(61)
        api.hang_up(NODES)
        await asyncio.sleep(0.1)
        write(file, "better")
        api.put(NODES, {"metadata": {"name": "n"}})
        await eventually(lambda: informer.store.get("n") is not None)
        running.cancel()


async def test_a_plugin_that_prints_garbage_for_a_certificate(tmp_path: Path) -> None:
    now, day = RealClock().now(), timedelta(days=1)
    authority = make_authority("mine", now, 2 * day)
    clock = SkippingClock()
    plugin = ExecPlugin(EXEC, "cat", (str(tmp_path / "printed"),))

    def printing(**status: str) -> None:
        document = {"apiVersion": EXEC, "kind": "ExecCredential", "status": status}
        write(tmp_path / "printed", orjson.dumps(document))

    context = server_context(issue_leaf(authority, ["127.0.0.1"], now, day))
    async with (
        FakeApiServer(tls=context) as api,
        Client(ClientConfiguration(api.url, ca=authority.certificate_pem, plugin=plugin), clock=clock) as it,
    ):
        api.serve(NODES)
        printing(token="t")
        await it.list(NODES)
        printing(clientCertificateData="garbage", clientKeyData="PLANTED")
        clock.tick(400)
        with pytest.raises(Unavailable, match=r"NoCredential: .*credential plugin 'cat': TLS material") as caught:
            await it.list(NODES)
        printing(token="u")
        await it.list(NODES)
    assert "PLANTED" not in str(caught.value)
