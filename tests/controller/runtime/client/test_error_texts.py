"""What is wrong is told with its place and remedy, and without any secret."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.certs.serving import server_context
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import AuthProvider, ClientConfiguration, ExecPlugin
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import Unauthorized, Unavailable
from controller.runtime.clock import RealClock
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import SkippingClock

PLUGIN = ExecPlugin("client.authentication.k8s.io/v1", "aws")
PROVIDER = AuthProvider(Path("/k"), "c", name="oidc")


@pytest.mark.parametrize(
    ("more", "want"),
    [
        pytest.param({}, "no credential", id="nothing"),
        pytest.param({"token": "s3cret", "origin": "user 'u' of /k"}, "the token in user 'u' of /k", id="a token"),
        pytest.param({"token_file": Path("/t"), "token": "s3cret"}, "token file /t", id="a token file"),
        pytest.param({"plugin": PLUGIN}, "the output of credential plugin 'aws'", id="a plugin"),
        pytest.param({"plugin": PROVIDER}, "the token of auth provider 'oidc' in /k", id="an auth provider"),
        pytest.param(
            {"client_certificate": "/c", "client_key": "/y"}, "client certificate /c", id="a certificate's file"
        ),
        pytest.param(
            {"client_certificate": b"s3cret", "client_key": b"s3cret"},
            "the client certificate in the configuration",
            id="a certificate's data",
        ),
    ],
)
def test_what_is_shown_is_told_by_its_place(more: dict[str, Any], want: str) -> None:
    assert ClientConfiguration("https://a", **more).shown == want


async def test_a_401_says_what_was_shown(api: FakeApiServer, tmp_path: Path) -> None:
    api.token = "another"
    (tmp_path / "token").write_text("s3cret")
    async with Client(ClientConfiguration(api.url, token_file=tmp_path / "token")) as client:
        with pytest.raises(Unauthorized, match=rf"shown was token file {tmp_path}/token; renew it") as read:
            await client.list(NODES)
        with pytest.raises(Unauthorized, match=rf"shown was token file {tmp_path}/token; renew it") as watched:
            await anext(client.watch(NODES, resource_version="1"))
    assert "s3cret" not in f"{read.value}{watched.value}"


@pytest.mark.parametrize("in_a_file", [True, False])
async def test_a_refused_server_certificate_names_the_authority(tmp_path: Path, in_a_file: bool) -> None:
    now, day = RealClock().now(), timedelta(days=1)
    mine, other = make_authority("mine", now, 2 * day), make_authority("other", now, day)
    (tmp_path / "ca.crt").write_bytes(other.certificate_pem)
    ca = str(tmp_path / "ca.crt") if in_a_file else other.certificate_pem
    want = (
        f"checked with certificate-authority {tmp_path}/ca.crt;"
        if in_a_file
        else "checked with certificate-authority-data;"
    )
    context = server_context(issue_leaf(mine, ["127.0.0.1"], now, day))
    async with FakeApiServer(tls=context) as api, Client(ClientConfiguration(api.url, ca=ca)) as client:
        with pytest.raises(Unavailable, match="CertificateRefused") as caught:
            await client.request("POST", "/")
    assert want in str(caught.value)
    assert "SSLContext" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_dead_server_is_told_by_its_address(api: FakeApiServer, scheme: str) -> None:
    await api.stop()
    async with Client(ClientConfiguration(f"{scheme}://127.0.0.1:{api.port}"), clock=SkippingClock()) as client:
        with pytest.raises(Unavailable, match=rf"cannot connect to 127\.0\.0\.1:{api.port} .*check the server") as it:
            await client.list(NODES)
    assert "SSLContext" not in str(it.value)
