"""A listener's certificate replaced under way, on both event loops, for every TLS version and key type."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from controller.runtime.certs.authority import (
    Authority,
    ServingCertificate,
    issue_leaf,
    make_authority,
    read_certificate,
)
from controller.runtime.certs.serving import BadCertificate, ServingContext, server_context
from controller.runtime.clock import RealClock

DAY = timedelta(days=1)
NOW = RealClock().now()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("one", NOW, 10 * DAY)


@pytest.fixture(scope="module")
def other() -> Authority:
    return make_authority("two", NOW, 10 * DAY)


def leaf(authority: Authority) -> ServingCertificate:
    return issue_leaf(authority, ["127.0.0.1", "localhost"], NOW, DAY)


def rsa_leaf(authority: Authority) -> ServingCertificate:
    """What cert-manager makes unless told otherwise."""
    key = rsa.generate_private_key(65537, 2048)
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem)
    signer = serialization.load_pem_private_key(authority.private_key_pem, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .sign(signer, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return read_certificate(made.public_bytes(encoding), pem, authority.certificate_pem)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def connect(port: int, authority: Authority, version: ssl.TLSVersion, name: str) -> asyncio.StreamWriter:
    context = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    context.minimum_version = context.maximum_version = version
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    return writer


async def replaced_under_way(first: Authority, second: Authority, version: ssl.TLSVersion, name: str) -> None:
    serving = ServingContext()
    serving.replace(leaf(first), NOW)
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=serving.context)
    port = server.sockets[0].getsockname()[1]
    kept_reader, kept = await asyncio.open_connection(
        "127.0.0.1", port, ssl=ssl.create_default_context(cadata=first.certificate_pem.decode())
    )
    serving.replace(leaf(second), NOW)
    (await connect(port, second, version, name)).close()
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(port, first, version, name)
    kept.write(b"still here\n")
    assert await kept_reader.readline() == b"still here\n"
    kept.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"], ids=["without a server name", "with a server name"])
def test_new_connections_see_the_new_certificate_and_old_ones_go_on(
    authority: Authority,
    other: Authority,
    loop: Callable[[], asyncio.AbstractEventLoop],
    version: ssl.TLSVersion,
    name: str,
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(replaced_under_way(authority, other, version, name))


def shown(serving: ServingContext, authority: Authority, name: str = "localhost") -> None:
    """A handshake in memory. Raises ssl.SSLError when the client refuses."""
    client_context = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = serving.context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version()


def test_another_key_type_replaces_as_well(authority: Authority, other: Authority) -> None:
    serving = ServingContext()
    for certificate, trusted in ((leaf(authority), authority), (rsa_leaf(other), other), (leaf(authority), authority)):
        serving.replace(certificate, NOW)
        shown(serving, trusted)


def test_a_refused_certificate_leaves_the_old_one_shown(authority: Authority, other: Authority) -> None:
    serving = ServingContext()
    serving.replace(leaf(authority), NOW)
    mixed = replace(leaf(other), private_key_pem=leaf(authority).private_key_pem)
    with pytest.raises(BadCertificate, match="its own key"):
        serving.replace(mixed, NOW)
    shown(serving, authority)


@pytest.mark.parametrize(
    ("now", "want"),
    [
        pytest.param(NOW + DAY, "ended at", id="one that ended"),
        pytest.param(NOW - DAY, "valid from", id="one that is not valid yet"),
    ],
)
def test_outside_of_its_time_it_is_refused(authority: Authority, now: datetime, want: str) -> None:
    with pytest.raises(BadCertificate, match=want):
        ServingContext().replace(leaf(authority), now)


def test_one_that_is_about_to_end_is_better_than_none(authority: Authority) -> None:
    serving = ServingContext()
    serving.replace(leaf(authority), NOW + DAY - timedelta(minutes=1))
    assert serving.certificate is not None


def test_garbage_is_refused_without_being_quoted(authority: Authority) -> None:
    garbage = replace(leaf(authority), certificate_pem=b"secret garbage")
    with pytest.raises(BadCertificate) as caught:
        server_context(garbage)
    assert "secret" not in str(caught.value)


def test_without_a_certificate_handshakes_fail(authority: Authority) -> None:
    with pytest.raises(ssl.SSLError):
        shown(ServingContext(), authority)
