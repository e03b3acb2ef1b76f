"""API keys, of which the cluster keeps SHA-256 digests alone: a Secret of a fixed name in each namespace that has some.

    data:
      ci-2026: <64 hex digits: sha256 of the key>     the entry's name is the key's name, for logs and rates
      notebook: <...>                                 several at once, so that one can follow another

The name is fixed so that RBAC can grant reading these Secrets and no others. The tenant is the Secret's namespace,
whatever is in it: who writes there cannot speak for another team.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from controller.gateway.control.objects import KeySecret

KEYS_SECRET: Final = "aim-gpu-gateway-keys"  # noqa: S105 - a Secret's name

_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key, by its SHA-256 digest; `tenant` is the namespace it is of."""

    digest: bytes
    tenant: str
    name: str


def keys_of(secret: KeySecret) -> Iterator[Key | str]:
    """The keys of a Secret, and a sentence for each entry that is none; what an entry holds is never repeated."""
    namespace = secret.metadata.namespace
    for name, encoded in sorted((secret.data or {}).items()):
        digest = _digest(encoded)
        if digest is None:
            yield (
                f"Secret {namespace}/{secret.metadata.name}: data.{name} is no SHA-256 digest: "
                "write 64 hexadecimal digits, and never the key itself"
            )
        else:
            yield Key(digest, namespace, name)


def keys_by_digest(keys: Iterable[Key]) -> tuple[dict[bytes, Key], list[str]]:
    """Keys by their digests, and a sentence for each that two namespaces have: it is of two tenants, so of none."""
    found: dict[bytes, Key] = {}
    twice: set[bytes] = set()
    problems = []
    for key in sorted(keys, key=lambda key: (key.tenant, key.name)):
        other = found.setdefault(key.digest, key)
        if other.tenant != key.tenant:
            twice.add(key.digest)
            problems.append(
                f"key {key.tenant}/{key.name} is key {other.tenant}/{other.name} too, and neither counts: make another"
            )
    return {digest: key for digest, key in found.items() if digest not in twice}, problems


def _digest(encoded: str) -> bytes | None:
    try:
        text = base64.b64decode(encoded, validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError):
        return None
    return bytes.fromhex(text) if _DIGEST.fullmatch(text) else None
