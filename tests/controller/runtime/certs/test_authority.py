"""Certificates verify, carry the asked names and times, and impossible ones are refused."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from controller.runtime.certs.authority import Authority, Purpose, issue_leaf, make_authority, read_certificate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("aim webhooks", NOW, 10 * DAY)


def test_the_leaf_is_signed_by_the_authority_for_the_names(authority: Authority) -> None:
    made = issue_leaf(authority, ["a.svc", "a.ns.svc", "127.0.0.1", "::1"], NOW, DAY)
    leaf = x509.load_pem_x509_certificate(made.certificate_pem)
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(made.authority_pem))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.svc", "a.ns.svc"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1"), ip_address("::1")]


def test_keys_and_times(authority: Authority) -> None:
    made = issue_leaf(authority, ["a"], NOW, DAY)
    leaf = x509.load_pem_x509_certificate(made.certificate_pem)
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert leaf.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert leaf.not_valid_after_utc == made.not_after == NOW + DAY


def test_the_authority_cannot_make_others(authority: Authority) -> None:
    certificate = x509.load_pem_x509_certificate(authority.certificate_pem)
    limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)


def test_the_keys_are_not_printed(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority)
    assert "PRIVATE" not in repr(issue_leaf(authority, ["a"], NOW, DAY))


@pytest.mark.parametrize(
    ("names", "lifetime", "want"),
    [
        pytest.param([], DAY, "names: empty", id="no names"),
        pytest.param(["a"], 11 * DAY, "ends after the authority", id="longer than the authority"),
    ],
)
def test_refused(authority: Authority, names: list[str], lifetime: timedelta, want: str) -> None:
    with pytest.raises(ValueError, match=want):
        issue_leaf(authority, names, NOW, lifetime)


def test_a_certificate_of_somebody_else_is_read(authority: Authority) -> None:
    made = issue_leaf(authority, ["a"], NOW, DAY)
    assert read_certificate(made.certificate_pem, made.private_key_pem, made.authority_pem) == made


def test_the_leaf_of_a_chain_is_the_first(authority: Authority) -> None:
    made = issue_leaf(authority, ["a"], NOW, DAY)
    chain = made.certificate_pem + authority.certificate_pem
    assert read_certificate(chain, made.private_key_pem).not_after == made.not_after


@pytest.mark.parametrize(
    ("certificate", "key", "want"),
    [
        pytest.param(b"secret", b"", "certificate: no readable PEM", id="garbage"),
        pytest.param(None, b"secret", "private key: not readable", id="a key that is garbage"),
        pytest.param(None, make_authority("b", NOW, DAY).private_key_pem, "another certificate", id="another's key"),
    ],
)
def test_what_cannot_be_read_is_named_and_not_quoted(
    authority: Authority, certificate: bytes | None, key: bytes, want: str
) -> None:
    with pytest.raises(ValueError, match=want) as caught:
        read_certificate(certificate or authority.certificate_pem, key)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("purpose", "want"),
    [
        ("server", {ExtendedKeyUsageOID.SERVER_AUTH}),
        ("client", {ExtendedKeyUsageOID.CLIENT_AUTH}),
        ("peer", {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}),
    ],
)
def test_a_certificate_is_good_for_its_purpose_alone(
    authority: Authority, purpose: Purpose, want: set[x509.ObjectIdentifier]
) -> None:
    leaf = x509.load_pem_x509_certificate(
        issue_leaf(authority, ["a.svc"], NOW, timedelta(days=1), purpose=purpose).certificate_pem
    )
    assert set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == want
