"""Makes a certificate authority and serving certificates: ECDSA P-256, valid from five minutes before `now`."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.runtime.certs.rotation import CLOCK_SKEW

_COMMON_NAME_LIMIT = 64
Purpose = Literal["server", "client", "peer"]
"""What a certificate is good for; a peer is both ends."""
_PURPOSES: dict[Purpose, list[x509.ObjectIdentifier]] = {
    "server": [ExtendedKeyUsageOID.SERVER_AUTH],
    "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
    "peer": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
}


@dataclass(frozen=True, slots=True)
class Authority:
    """A self-signed CA: what verifiers trust, and the key that signs. Both PEM."""

    certificate_pem: bytes
    private_key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServingCertificate:
    """What a TLS server shows: its chain and key, and the authorities that clients must trust. All PEM.

    `authority_pem` may hold several, and b"" means that clients know whom to trust from elsewhere. `not_before` and
    `not_after` are the leaf's, UTC.
    """

    certificate_pem: bytes
    private_key_pem: bytes = field(repr=False)
    authority_pem: bytes
    not_before: datetime
    not_after: datetime

    @property
    def ca_bundle(self) -> str:
        """The authorities as a webhook configuration's `clientConfig.caBundle` wants them."""
        return base64.b64encode(self.authority_pem).decode("ascii")


def make_authority(common_name: str, now: datetime, lifetime: timedelta) -> Authority:
    """A new authority, valid until `now` + `lifetime`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def issue_leaf(
    authority: Authority,
    names: Sequence[str],
    now: datetime,
    lifetime: timedelta,
    *,
    purpose: Purpose = "server",
) -> ServingCertificate:
    """A certificate for `names`, each a DNS name or an IP address; the first is also its common name.

    Raises ValueError without a name, or when it would outlive the authority.
    """
    if not names:
        raise ValueError("names: empty; give at least one DNS name or IP address")
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem)
    if now + lifetime > issuer.not_valid_after_utc:
        raise ValueError(f"lifetime {lifetime}: ends after the authority ({issuer.not_valid_after_utc}); shorten it")
    signer = serialization.load_pem_private_key(authority.private_key_pem, password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError(f"authority key {type(signer).__name__}: give an ECDSA key")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(names[0]), issuer.subject, key, now, lifetime)
        .add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_PURPOSES[purpose]), critical=False)
        .add_extension(_authority_key_identifier(issuer), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return ServingCertificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        _key_pem(key),
        authority.certificate_pem,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def read_certificate(certificate_pem: bytes, private_key_pem: bytes, authority_pem: bytes = b"") -> ServingCertificate:
    """A certificate that somebody else made, of any key type; the leaf comes first in its chain.

    Raises ValueError for PEM that cannot be read and for a key of another certificate. The text quotes no material.
    """
    try:
        leaf = x509.load_pem_x509_certificates(certificate_pem)[0]
    except ValueError as error:
        raise ValueError(f"certificate: no readable PEM ({error}); give the leaf and its chain") from error
    try:
        key = serialization.load_pem_private_key(private_key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"private key: not readable ({type(error).__name__}); give unencrypted PEM") from None
    if key.public_key() != leaf.public_key():
        raise ValueError("private key: belongs to another certificate; give both from one issuance")
    return ServingCertificate(
        certificate_pem, private_key_pem, authority_pem, leaf.not_valid_before_utc, leaf.not_valid_after_utc
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_COMMON_NAME_LIMIT])])


def general_name(name: str) -> x509.GeneralName:
    """A DNS name or an address as certificates hold it. Raises ValueError for a name that is not ASCII."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    subject_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key.value)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
