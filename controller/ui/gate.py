"""Who is let in to the map's data, and as whom: by this process's own token, or by a token that the cluster knows.

The page itself is no secret: it is files of a package. Data is asked for with `Authorization: Bearer`, which no other
site can make a browser send. What a site can do is to point a name of its own at 127.0.0.1; so the Host header must be
a name that was listened for.
"""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.ui.viewer import EVERYTHING, Viewer

CHALLENGE = {"WWW-Authenticate": "Bearer"}


class NotLetIn(Exception):
    """Refused: an HTTP status, and a sentence with the remedy."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who was let in, for limits a person, and what they may see."""

    who: str
    viewer: Viewer


class Gate(Protocol):
    """Decides on a request's bearer token."""

    async def admit(self, token: str, also: Collection[str] = ()) -> Admitted:
        """Who bears it; empty: nobody gave one. `also`: namespaces that are asked about beside those that have rows.

        Raises NotLetIn with what to do.
        """
        ...


class TokenGate:
    """One token, made when the command started, for the person who did: they see what the kubeconfig lets them list."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def admit(self, token: str, also: Collection[str] = ()) -> Admitted:  # noqa: ARG002 - they see all of them
        """Everything, for the one token."""
        if not token:
            raise NotLetIn(401, "no token; open the URL that aim-gpu ui printed", CHALLENGE)
        if not hmac.compare_digest(token.encode(), self._token):
            raise NotLetIn(401, "the token is not this map's; open the URL that aim-gpu ui printed last", CHALLENGE)
        return Admitted("", EVERYTHING)


def bearer(header: str) -> str:
    """The token of an Authorization header; empty where it has none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def check_host(header: str, names: Collection[str], port: int) -> None:
    """Refuse a request that was meant for another name. Raises NotLetIn. `names` in lower case, IPv6 in brackets."""
    name, _, given = header.lower().rpartition(":")
    if name not in names or given != str(port):
        allowed = ", ".join(f"{each}:{port}" for each in names)
        raise NotLetIn(421, f"Host {header[:80]!r} is not this server; use {allowed}")
