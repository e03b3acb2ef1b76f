"""What rotation works on, as certificates: an authority, the one after it, those only trusted any more, and a leaf.

Kept in one Secret, whose keys are those that ingress controllers, cert-manager's CA injector and people know:

    tls.crt, tls.key     the leaf and its key
    ca.crt               every authority to be trusted; the first is the one that signed the leaf
    ca.key               that one's key
    next-ca.crt, .key    the authority that will sign, once everybody trusts it; its certificate is in ca.crt as well

To rotate the authority at once, in order and without an outage, remove ca.key; to have a new leaf, empty tls.crt (a
Secret of type kubernetes.io/tls must have the key).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from controller.runtime.certs.authority import (
    Authority,
    Purpose,
    ServingCertificate,
    general_name,
    issue_leaf,
    make_authority,
    read_certificate,
)
from controller.runtime.certs.rotation import CLOCK_SKEW, Action, Held, RotationPolicy, Step, Term, due

LEAF, LEAF_KEY = "tls.crt", "tls.key"
BUNDLE, SIGNER_KEY = "ca.crt", "ca.key"
UPCOMING, UPCOMING_KEY = "next-ca.crt", "next-ca.key"
KEYS = (LEAF, LEAF_KEY, BUNDLE, SIGNER_KEY, UPCOMING, UPCOMING_KEY)

_PEM_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# A fresh start takes two steps, the longest chain of overdue ones five.
_MOST_STEPS = 8


class UnreadableSecret(ValueError):
    """A Secret whose authorities cannot be read; the text names the key and the remedy, and quotes no material."""


@dataclass(frozen=True, slots=True)
class Material:
    """Everything the Secret holds. `signer` without a key (b"") is trusted and cannot sign; `retired` are PEM."""

    signer: Authority | None = None
    upcoming: Authority | None = None
    retired: tuple[bytes, ...] = ()
    leaf: ServingCertificate | None = None

    @property
    def bundle(self) -> bytes:
        """Every authority that clients must trust, PEM, the leaf's own first."""
        present = [authority.certificate_pem for authority in (self.signer, self.upcoming) if authority is not None]
        return b"".join([*present, *self.retired])

    @property
    def serving(self) -> ServingCertificate | None:
        """The leaf, with all of the bundle to be trusted."""
        return None if self.leaf is None else replace(self.leaf, authority_pem=self.bundle)


@dataclass(frozen=True, slots=True)
class Issuance:
    """For whom certificates are made, for how long and what: a leaf's DNS names and addresses, the authority's name."""

    names: Sequence[str]
    common_name: str
    policy: RotationPolicy
    purpose: Purpose = "server"


def read_material(data: Mapping[str, str]) -> Material:
    """What the `data` of a Secret holds; nothing at all is a Material of nothing.

    A leaf that cannot be read counts as missing: it is made anew. Raises UnreadableSecret for authorities.
    """
    pems = {name: _decoded(name, data) for name in KEYS}
    authorities = _certificates(BUNDLE, pems[BUNDLE])
    signer = Authority(authorities[0], pems[SIGNER_KEY]) if authorities else None
    following = _certificates(UPCOMING, pems[UPCOMING])
    # Without its key the following one could never sign: it stays trusted, and another is made.
    upcoming = Authority(following[0], pems[UPCOMING_KEY]) if following and pems[UPCOMING_KEY] else None
    for authority, key in ((signer, SIGNER_KEY), (upcoming, UPCOMING_KEY)):
        if authority is not None and authority.private_key_pem:
            _check_key(authority, key)
    known = {authority.certificate_pem for authority in (signer, upcoming) if authority is not None}
    retired = tuple(pem for pem in authorities if pem not in known)
    return Material(signer, upcoming, retired, _leaf(pems, signer))


def data_of(material: Material) -> dict[str, str]:
    """The `data` of the Secret that holds `material`."""
    signer, upcoming, leaf = material.signer, material.upcoming, material.leaf
    pems = {
        LEAF: leaf.certificate_pem if leaf else b"",
        LEAF_KEY: leaf.private_key_pem if leaf else b"",
        BUNDLE: material.bundle,
        SIGNER_KEY: signer.private_key_pem if signer else b"",
        UPCOMING: upcoming.certificate_pem if upcoming else b"",
        UPCOMING_KEY: upcoming.private_key_pem if upcoming else b"",
    }
    return {name: base64.b64encode(pem).decode("ascii") for name, pem in pems.items() if pem}


def advance(
    material: Material, issuance: Issuance, now: datetime, *, published: bool = True
) -> tuple[Material, tuple[Step, ...]]:
    """Do all that is due at `now`. The very same material and no step when nothing is.

    `published`: clients are told to trust the authority that is to sign next.
    """
    steps: list[Step] = []
    while step := due(held(material, issuance.names, published=published), now, issuance.policy):
        if len(steps) == _MOST_STEPS:
            raise RuntimeError(f"certificate rotation does not come to rest: {[str(step.action) for step in steps]}")
        material = perform(step.action, material, issuance, now)
        steps.append(step)
    return material, tuple(steps)


def held(material: Material, names: Iterable[str], *, published: bool = True) -> Held:
    """The dates of `material`; a leaf that lacks one of `names` does not count."""
    leaf = material.leaf
    fits = leaf is not None and {general_name(name) for name in names} <= set(_names_of(leaf))
    return Held(
        signer=_term(material.signer.certificate_pem) if material.signer else None,
        can_sign=material.signer is not None and bool(material.signer.private_key_pem),
        upcoming=_term(material.upcoming.certificate_pem) if material.upcoming else None,
        published=published,
        retired=len(material.retired),
        leaf=_term(leaf.certificate_pem) if leaf is not None and fits else None,
    )


def perform(action: Action, material: Material, issuance: Issuance, now: datetime) -> Material:
    """`material` after one action, which must be possible: `due` says which is."""
    match action:
        case Action.MAKE_AUTHORITY:
            # Those that are still valid stay trusted: a leaf they signed may be shown a while longer.
            older = [pem for pem in _certificates(BUNDLE, material.bundle) if now < _term(pem).not_after]
            return Material(_authority(issuance, now), retired=tuple(older))
        case Action.ISSUE_LEAF:
            return replace(material, leaf=_issue(_present(material.signer), material, issuance, now))
        case Action.ADD_AUTHORITY:
            return replace(material, upcoming=_authority(issuance, now))
        case Action.SWITCH_AUTHORITY:
            upcoming, old = _present(material.upcoming), _present(material.signer)
            leaf = _issue(upcoming, material, issuance, now)
            return Material(upcoming, retired=(*material.retired, old.certificate_pem), leaf=leaf)
        case Action.DROP_RETIRED:
            return replace(material, retired=())


def _authority(issuance: Issuance, now: datetime) -> Authority:
    # Two of one name would be told apart by their key identifiers only.
    name = f"{issuance.common_name:.40} {now:%Y-%m-%d %H:%M:%S}"
    return make_authority(name, now, issuance.policy.authority_lifetime)


def _issue(authority: Authority, material: Material, issuance: Issuance, now: datetime) -> ServingCertificate:
    lifetime = min(issuance.policy.leaf_lifetime, _term(authority.certificate_pem).not_after - now)
    names = list(issuance.names)
    if material.leaf is not None and now < _term(material.leaf.certificate_pem).renewal:
        # Made early because replicas of two versions want different names: serve both, or they would take turns.
        names += [str(name.value) for name in _names_of(material.leaf) if str(name.value) not in names]
    return issue_leaf(authority, names, now, lifetime, purpose=issuance.purpose)


def _present(authority: Authority | None) -> Authority:
    if authority is None:
        raise ValueError("authority: none to sign with; ask `due` for the next action")
    return authority


def _leaf(pems: Mapping[str, bytes], signer: Authority | None) -> ServingCertificate | None:
    if signer is None or not pems[LEAF]:
        return None
    try:
        leaf = read_certificate(pems[LEAF], pems[LEAF_KEY], signer.certificate_pem)
        issuer = x509.load_pem_x509_certificate(signer.certificate_pem)
        x509.load_pem_x509_certificate(leaf.certificate_pem).verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return None
    return leaf


def _check_key(authority: Authority, name: str) -> None:
    try:
        read_certificate(authority.certificate_pem, authority.private_key_pem)
    except ValueError as error:
        raise UnreadableSecret(f"{name}: {error}; remove {name}, and the authority is replaced in order") from None


def _decoded(name: str, data: Mapping[str, str]) -> bytes:
    try:
        return base64.b64decode(data.get(name) or "", validate=True)
    except binascii.Error as error:
        raise UnreadableSecret(f"{name}: no base64; remove it") from error


def _certificates(name: str, pem: bytes) -> tuple[bytes, ...]:
    """The single certificates of a bundle, each checked to be one."""
    blocks = tuple(block + b"\n" for block in _PEM_BLOCK.findall(pem))
    if pem.strip() and not blocks:
        raise UnreadableSecret(f"{name}: no PEM certificate in it; delete the Secret, and it is made anew")
    for block in blocks:
        try:
            x509.load_pem_x509_certificate(block)
        except ValueError as error:
            raise UnreadableSecret(f"{name}: {error}; delete the Secret, and it is made anew") from error
    return blocks


def _term(pem: bytes) -> Term:
    certificate = x509.load_pem_x509_certificate(pem)
    return Term(certificate.not_valid_before_utc + CLOCK_SKEW, certificate.not_valid_after_utc)


def _names_of(leaf: ServingCertificate) -> list[x509.GeneralName]:
    extensions = x509.load_pem_x509_certificate(leaf.certificate_pem).extensions
    try:
        return list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []
