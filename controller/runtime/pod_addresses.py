"""Where a pod is reached: the one seam between whom to ask and the address at which it answers.

In a cluster that is the address that the kubelet gave it. Processes that only stand for pods, as simulated engines do,
listen elsewhere; then a file says where, pod by pod, and whom to ask is still decided by what the API server shows.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Address:
    """Where a pod listens, by HTTP or by HTTPS."""

    host: str
    port: int
    tls: bool = False


class Resolver(Protocol):
    """Knows where pods are reached."""

    def resolve(self, uid: str, shown: Address) -> Address | None:
        """Where the pod of that uid is reached, given what the cluster shows; None while nobody listens for it."""
        ...


class AsShown:
    """Pods are where the cluster says."""

    def resolve(self, uid: str, shown: Address) -> Address | None:  # noqa: ARG002 - what a Resolver is asked
        """The shown address."""
        return shown


class AddressFileError(ValueError):
    """A file of addresses that cannot be used; the text names the file, the entry and a remedy."""


class AddressFile:
    """Pods are where a JSON file says: an object of "HOST:PORT" by pod uid. Pods it does not name are not reached.

    `look` reads it again where it has changed. A file that is not there names nobody.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._addresses: dict[str, Address] = {}

    def resolve(self, uid: str, shown: Address) -> Address | None:  # noqa: ARG002 - what a Resolver is asked
        """The file's address for the pod."""
        return self._addresses.get(uid)

    def look(self) -> bool:
        """Whether the addresses are others than at the last look. Raises AddressFileError, and keeps what it has."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return self._take(None, {})
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp == self._read_at:
            return False
        return self._take(stamp, parse_addresses(self._path.read_text(encoding="utf-8"), str(self._path)))

    def _take(self, stamp: tuple[int, int] | None, addresses: dict[str, Address]) -> bool:
        changed = addresses != self._addresses
        self._read_at, self._addresses = stamp, addresses
        return changed


def parse_addresses(text: str, path: str = "addresses") -> dict[str, Address]:
    """The addresses of a file's text, by pod uid. Raises AddressFileError."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise AddressFileError(f"{path}: is no JSON ({error}): write an object of HOST:PORT by pod uid") from error
    if not isinstance(given, dict):
        raise AddressFileError(f"{path}: is {type(given).__name__}: write an object of HOST:PORT by pod uid")
    return {uid: _address(uid, where, path) for uid, where in given.items()}


def _address(uid: str, where: object, path: str) -> Address:
    host, colon, port = str(where).rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise AddressFileError(f"{path}: {uid}: {where!r} is no address: write HOST:PORT, such as 127.0.0.1:8000")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))
