import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from controller.gateway.tls import TlsError, TlsFiles
from controller.runtime.certs.authority import Authority, issue_leaf, make_authority
from tests.fakes.clock import FakeClock

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("gateway", NOW - DAY, 30 * DAY)


Put = Callable[..., bytes]


@pytest.fixture
def put(tmp_path: Path, authority: Authority) -> Put:
    """Writes a certificate for the name, and returns it."""

    def write(
        name: str, *, folder: Path = tmp_path, lasts: timedelta = 10 * DAY, begins: datetime = NOW - DAY
    ) -> bytes:
        made = issue_leaf(authority, [name], begins, lasts)
        (folder / "tls.crt").write_bytes(made.certificate_pem)
        (folder / "tls.key").write_bytes(made.private_key_pem)
        return made.certificate_pem

    return write


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


async def seen(files: TlsFiles, authority: Authority, name: str) -> str:
    """The name on the certificate that a client of that name is shown."""
    trusting = ssl.create_default_context(cadata=authority.certificate_pem.decode())

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=files.context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
        certificate = writer.get_extra_info("peercert")
        writer.close()
    return str(certificate["subjectAltName"][0][1])


async def test_new_connections_see_the_files_as_they_are(
    tmp_path: Path, put: Put, clock: FakeClock, authority: Authority
) -> None:
    put("one")
    files = TlsFiles(tmp_path, clock)
    files.load()
    assert await seen(files, authority, "one") == "one"
    put("two")
    assert files.look() is True
    assert await seen(files, authority, "two") == "two"
    assert files.look() is False
    assert files.verdict() is True


async def test_what_is_caught_half_way_is_refused_until_it_fits(
    tmp_path: Path, put: Put, clock: FakeClock, authority: Authority
) -> None:
    put("one")
    files = TlsFiles(tmp_path, clock)
    files.load()
    old_key = (tmp_path / "tls.key").read_bytes()
    put("two")
    new_key = (tmp_path / "tls.key").read_bytes()
    (tmp_path / "tls.key").write_bytes(old_key)
    with structlog.testing.capture_logs() as logs:
        assert files.look() is False
        assert files.look() is False
    assert [line["log_level"] for line in logs] == ["error"]  # once
    assert await seen(files, authority, "one") == "one"
    (tmp_path / "tls.key").write_bytes(new_key)
    assert files.look() is True
    assert await seen(files, authority, "two") == "two"


async def test_a_mounted_secret_is_read_through_its_link(
    tmp_path: Path, put: Put, clock: FakeClock, authority: Authority
) -> None:
    for number, name in enumerate(("one", "two")):
        (tmp_path / f"..{number}").mkdir()
        put(name, folder=tmp_path / f"..{number}")
    (tmp_path / "..data").symlink_to("..0")
    files = TlsFiles(tmp_path, clock)
    files.load()
    (tmp_path / "..tmp").symlink_to("..1")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert files.look() is True
    assert await seen(files, authority, "two") == "two"


def test_one_that_has_ended_is_refused(tmp_path: Path, put: Put, clock: FakeClock) -> None:
    put("one", begins=NOW - 20 * DAY, lasts=10 * DAY)
    with pytest.raises(TlsError, match="no client would accept it"):
        TlsFiles(tmp_path, clock).load()


async def test_one_that_ends_in_use_is_told(tmp_path: Path, put: Put, clock: FakeClock) -> None:
    put("one")
    files = TlsFiles(tmp_path, clock)
    files.load()
    clock.tick(10 * 86_400)
    assert str(files.verdict()).startswith("certificate: ended at ")


def test_one_that_ends_soon_is_warned_of(tmp_path: Path, put: Put, clock: FakeClock) -> None:
    put("one", lasts=3 * DAY)
    with structlog.testing.capture_logs() as logs:
        TlsFiles(tmp_path, clock).load()
    assert [(line["log_level"], line["days_left"]) for line in logs] == [("warning", 2)]


@pytest.mark.parametrize("text", [None, b"", b"no PEM"])
def test_files_that_are_none_are_refused_without_quoting_them(
    tmp_path: Path, put: Put, clock: FakeClock, text: bytes | None
) -> None:
    put("one")
    if text is None:
        (tmp_path / "tls.key").unlink()
    else:
        (tmp_path / "tls.key").write_bytes(text)
    with pytest.raises(TlsError, match=r"tls.crt and tls.key: ") as refused:
        TlsFiles(tmp_path, clock).load()
    assert "PRIVATE" not in str(refused.value)


def test_before_the_first_files_it_is_not_ready(tmp_path: Path, clock: FakeClock) -> None:
    assert TlsFiles(tmp_path, clock).verdict() == "certificate: not read yet"


def test_when_the_shown_certificate_ends_is_known(put: Put, clock: FakeClock, tmp_path: Path) -> None:
    files = TlsFiles(tmp_path, clock)
    assert files.ending() is None
    for lasts in (10 * DAY, 20 * DAY):
        put("gateway", lasts=lasts)
        files.look()
        assert files.ending() == NOW - DAY + lasts
