"""A plane's secrets: its certificate authority, the serving certificate, the key that signs ServiceAccount tokens,
and one token for each user that is no ServiceAccount.

The controllers are users of their own, with the rights a real cluster gives them: only the harness is
`system:masters`, so that the audit log tells who did what and RBAC is never bypassed by accident.
"""

import csv
import datetime
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from e2e.plane.ports import LOOPBACK

ADMIN = "admin"
KSERVE_MANAGER = "kserve-controller-manager"
LLMISVC_MANAGER = "llmisvc-controller-manager"
USERS: Mapping[str, tuple[str, ...]] = {
    ADMIN: ("system:masters",),
    "system:kube-controller-manager": (),
    "system:kube-scheduler": (),
    "kwok-controller": (),
    KSERVE_MANAGER: (),
    LLMISVC_MANAGER: (),
}
"""User name -> groups. Kubernetes' own bootstrap roles, `manifests/kwok.yaml` and, on a plane with KServe, its
ClusterRoles give them their rights."""

_LIFETIME = datetime.timedelta(days=30)
_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files as kube-apiserver and kube-controller-manager read them, and the tokens by user.

    The webhook certificate is for servers on the loopback address that the plane itself starts. With the kubelet
    client certificate kube-apiserver asks kubelets for logs and the like, as one of `system:masters`.
    """

    authority: Path
    serving_certificate: Path
    serving_key: Path
    webhook_certificate: Path
    webhook_key: Path
    kubelet_client_certificate: Path
    kubelet_client_key: Path
    account_key: Path
    account_public_key: Path
    token_file: Path
    tokens: Mapping[str, str]


def write_credentials(
    folder: Path, users: Mapping[str, tuple[str, ...]] = USERS, addresses: Sequence[str] = (LOOPBACK,)
) -> Credentials:
    """Make new ones in an existing folder; every file is readable by its owner alone.

    `users` is user name -> groups; serving certificates are good for `addresses`.
    """
    paths = {name: folder / name for name in ("ca.crt", "sa.key", "sa.pub")}
    authority = _Authority("aim-plane-ca")
    _write(paths["ca.crt"], authority.certificate.public_bytes(serialization.Encoding.PEM))
    serving_certificate, serving_key = _write_leaf(folder / "apiserver", authority, _name("kube-apiserver"), addresses)
    webhook_certificate, webhook_key = _write_leaf(folder / "webhook", authority, _name("webhook-server"), addresses)
    kubelet_certificate, kubelet_key = _write_leaf(
        folder / "kubelet-client", authority, _name("kube-apiserver", "system:masters")
    )
    # RS256 is what every verifier of ServiceAccount tokens knows
    account_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write(paths["sa.key"], _private_pem(account_key))
    _write(
        paths["sa.pub"],
        account_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    tokens = {user: secrets.token_urlsafe(32) for user in users}
    token_file = folder / "tokens.csv"
    _write(token_file, b"")
    with token_file.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([tokens[user], user, user, ",".join(users[user])] for user in users)
    return Credentials(
        authority=paths["ca.crt"],
        serving_certificate=serving_certificate,
        serving_key=serving_key,
        webhook_certificate=webhook_certificate,
        webhook_key=webhook_key,
        kubelet_client_certificate=kubelet_certificate,
        kubelet_client_key=kubelet_key,
        account_key=paths["sa.key"],
        account_public_key=paths["sa.pub"],
        token_file=token_file,
        tokens=tokens,
    )


class _Authority:
    """A certificate authority that lives as long as the certificates are being made."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = _name(name)
        self.certificate = self.builder(self.subject, self.key.public_key(), authority=True).sign(
            self.key, hashes.SHA256()
        )

    def builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, *, authority: bool = False
    ) -> x509.CertificateBuilder:
        """What all certificates have."""
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(_key_usage(authority=authority), critical=True)
        )


def _write_leaf(
    path: Path, authority: _Authority, subject: x509.Name, addresses: Sequence[str] = ()
) -> tuple[Path, Path]:
    """`path` with .crt and .key: a server's certificate for the addresses, or without any a client's; and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate_file, key_file = path.with_suffix(".crt"), path.with_suffix(".key")
    usage = ExtendedKeyUsageOID.SERVER_AUTH if addresses else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = authority.builder(subject, key.public_key()).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if addresses:
        names: list[x509.GeneralName] = [x509.DNSName(text) for text in _SERVER_NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
    _write(key_file, _private_pem(key))
    return certificate_file, key_file


def _name(common_name: str, *organisations: str) -> x509.Name:
    """Of a client these are user and groups."""
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, text) for text in organisations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=_OWNER_ONLY)
    path.write_bytes(content)
