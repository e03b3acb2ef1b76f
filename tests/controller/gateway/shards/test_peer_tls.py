"""Real handshakes between replicas, and with those who are none."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from controller.gateway.peer_name import PEER_NAME
from controller.gateway.shards.peer_tls import PeerTls
from controller.runtime.certs.authority import Authority, ServingCertificate, issue_leaf, make_authority
from controller.runtime.certs.serving import BadCertificate


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def authority(now: datetime) -> Authority:
    return make_authority("gateway replicas", now, timedelta(days=365))


def leaf(of: Authority, now: datetime, name: str = PEER_NAME, purpose: str = "peer") -> ServingCertificate:
    return issue_leaf(of, [name], now, timedelta(days=30), purpose=purpose)  # type: ignore[arg-type]


def showing(certificate: ServingCertificate, now: datetime) -> PeerTls:
    tls = PeerTls()
    tls.replace(certificate, now)
    return tls


async def shake(server: PeerTls, client: ssl.SSLContext) -> dict[str, object]:
    """The certificate that the server saw. Raises what the client saw."""
    seen: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(writer.get_extra_info("peercert"))
        writer.write(await reader.read(1))
        writer.close()

    async with asyncio.timeout(30), await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server.server) as listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=PEER_NAME)
        try:
            writer.write(b"x")
            # TLS 1.3: a client learns only with the first answer that the server wants none of it.
            if await reader.read(1) != b"x":
                raise ConnectionError("closed without an answer")
        finally:
            writer.close()
        return await seen


async def test_replicas_know_each_other(now: datetime) -> None:
    certificate = leaf(authority(now), now)
    one, other = showing(certificate, now), showing(certificate, now)
    seen = await shake(one, other.client())
    assert seen["subjectAltName"] == (("DNS", PEER_NAME),)


async def test_who_shows_nothing_or_somebody_elses_is_not_let_in(now: datetime) -> None:
    own = authority(now)
    server = showing(leaf(own, now), now)
    nothing = ssl.create_default_context(cadata=own.certificate_pem.decode())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(server, nothing)
    stranger = showing(leaf(authority(now), now), now).client()
    stranger.load_verify_locations(cadata=own.certificate_pem.decode())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(server, stranger)


async def test_a_certificate_for_servers_opens_nothing(now: datetime) -> None:
    own = authority(now)
    client = showing(leaf(own, now, purpose="server"), now).client()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(showing(leaf(own, now), now), client)


async def test_a_server_of_another_name_or_authority_is_sent_nothing(now: datetime) -> None:
    own = authority(now)
    client = showing(leaf(own, now), now).client()
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(showing(leaf(own, now, name="aim-gpu-operator"), now), client)
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(showing(leaf(authority(now), now), now), client)


async def test_before_the_first_certificate_nobody_is_let_in_and_nobody_trusted(now: datetime) -> None:
    ready = showing(leaf(authority(now), now), now)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(PeerTls(), ready.client())
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(ready, PeerTls().client())


async def test_a_renewed_authority_is_followed_and_the_old_one_forgotten(now: datetime) -> None:
    old, new = leaf(authority(now), now), leaf(authority(now), now)
    server, behind, renewed = showing(old, now), showing(old, now), showing(new, now)
    server.replace(new, now)
    await shake(server, renewed.client())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(server, behind.client())


def test_what_nobody_could_trust_is_refused_and_the_old_one_stays(now: datetime) -> None:
    own = authority(now)
    tls = showing(leaf(own, now), now)
    before = tls.client()
    without = leaf(own, now)
    without = ServingCertificate(
        without.certificate_pem, without.private_key_pem, b"", without.not_before, without.not_after
    )
    with pytest.raises(BadCertificate, match="no authority"):
        tls.replace(without, now)
    with pytest.raises(BadCertificate, match="ended"):
        tls.replace(leaf(own, now), now + timedelta(days=31))
    assert tls.client() is before
