"""Certificates that are rotated on disk: new connections use the new ones, and a half-done rotation does no harm."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from controller.runtime.certs.authority import Authority, issue_leaf, make_authority
from controller.runtime.client.configuration import ClientCertificate, ClientConfiguration, ConfigurationError
from controller.runtime.client.tls import ClientTls
from controller.runtime.clock import RealClock
from tests.fakes.clock import FakeClock

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authorities() -> tuple[Authority, Authority]:
    now = RealClock().now()
    return make_authority("one", now, 10 * DAY), make_authority("two", now, 10 * DAY)


@pytest.fixture
def files(tmp_path: Path, authorities: tuple[Authority, Authority]) -> Path:
    """A folder with ca.crt, tls.crt and tls.key."""
    (tmp_path / "ca.crt").write_bytes(authorities[0].certificate_pem)
    write_pair(tmp_path, *client_pair(authorities[0]))
    return tmp_path


def client_pair(authority: Authority) -> tuple[bytes, bytes]:
    made = issue_leaf(authority, ["me"], RealClock().now(), DAY, purpose="client")
    return made.certificate_pem, made.private_key_pem


def write_pair(folder: Path, certificate: bytes, key: bytes) -> None:
    (folder / "tls.crt").write_bytes(certificate)
    (folder / "tls.key").write_bytes(key)


def settings(folder: Path) -> ClientConfiguration:
    certificate, key = str(folder / "tls.crt"), str(folder / "tls.key")
    return ClientConfiguration("https://a", ca=str(folder / "ca.crt"), client_certificate=certificate, client_key=key)


def trusted(context: ssl.SSLContext | None) -> str:
    assert context is not None
    (found,) = context.get_ca_certs()
    return str(found["subject"])


def test_unchanged_files_keep_the_context(files: Path) -> None:
    clock = FakeClock()
    tls = ClientTls(settings(files), clock)
    before = tls.context()
    clock.tick(1000)
    assert tls.context() is before


def test_a_rotated_authority_is_trusted_within_a_minute(files: Path, authorities: tuple[Authority, Authority]) -> None:
    clock = FakeClock()
    tls = ClientTls(settings(files), clock)
    before = tls.context()
    (files / "ca.crt").write_bytes(authorities[1].certificate_pem)
    clock.tick(59)
    assert tls.context() is before
    clock.tick(1)
    after = tls.context()
    assert "two" in trusted(after)
    clock.tick(60)
    assert tls.context() is after


def test_a_refused_certificate_makes_it_look_at_once(files: Path, authorities: tuple[Authority, Authority]) -> None:
    tls = ClientTls(settings(files), FakeClock())
    before = tls.context()
    write_pair(files, *client_pair(authorities[0]))
    assert tls.context() is before
    tls.suspect()
    assert tls.context() is not before


def test_a_rotation_half_way_changes_nothing_until_it_is_whole(
    files: Path, authorities: tuple[Authority, Authority]
) -> None:
    clock = FakeClock()
    tls = ClientTls(settings(files), clock)
    before = tls.context()
    certificate, key = client_pair(authorities[0])
    (files / "tls.crt").write_bytes(certificate)  # the key is still the old one's
    clock.tick(60)
    assert tls.context() is before
    (files / "tls.key").write_bytes(key)
    clock.tick(60)
    assert tls.context() is not before


def test_a_file_that_vanished_changes_nothing(files: Path) -> None:
    clock = FakeClock()
    tls = ClientTls(settings(files), clock)
    before = tls.context()
    (files / "ca.crt").unlink()
    clock.tick(60)
    assert tls.context() is before


def test_a_plugins_certificate_replaces_the_context_once(files: Path, authorities: tuple[Authority, Authority]) -> None:
    tls = ClientTls(ClientConfiguration("https://a", ca=str(files / "ca.crt")), FakeClock())
    before = tls.context()
    shown = ClientCertificate(*client_pair(authorities[0]))
    tls.show(shown)
    after = tls.context()
    assert after is not before
    tls.show(ClientCertificate(shown.chain_pem, shown.key_pem))
    assert tls.context() is after


def test_a_plugins_certificate_that_is_none_is_named(files: Path) -> None:
    tls = ClientTls(ClientConfiguration("https://a", ca=str(files / "ca.crt")), FakeClock())
    with pytest.raises(ConfigurationError, match="TLS material"):
        tls.show(ClientCertificate(b"no", b"pem"))


def test_plain_http_has_none() -> None:
    assert ClientTls(ClientConfiguration("http://a"), FakeClock()).context() is None
