"""What is really stored: the plane's etcd, read and written over its JSON gateway."""

import base64
import http.client
import json
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from e2e.plane import Plane
from e2e.plane.components import ETCD

_LIMIT_SECONDS = 60
_PAGE = 1_000
# etcd takes 128 operations at once.
_TRANSACTION = 100


class Etcd:
    """Keys of custom resources are /registry/GROUP/PLURAL[/NAMESPACE]/NAME; `namespace` "": the kind has none."""

    def __init__(self, plane: Plane, group: str = "aim.amd.com") -> None:
        self._address = urlsplit(_address(plane))
        self._root = f"/registry/{group}"

    def versions(self, plural: str, namespace: str) -> Counter[str]:
        """How many objects are stored in each apiVersion."""
        return Counter(json.loads(value)["apiVersion"] for value in self._values(self._prefix(plural, namespace)))

    def version(self, plural: str, namespace: str, name: str) -> str:
        """The apiVersion in which one object is stored."""
        key = self._prefix(plural, namespace) + name.encode()
        (pair,) = self._ask("/v3/kv/range", {"key": _text(key)})["kvs"]
        version: str = json.loads(base64.b64decode(pair["value"]))["apiVersion"]
        return version

    def clone(self, plural: str, namespace: str, copies: int) -> None:
        """Store every object of the namespace that many times more, as NAME-1, NAME-2, ...

        Some 20,000 a second, where an API server takes hundreds.
        """
        prefix = self._prefix(plural, namespace)
        for value in self._values(prefix):
            stored = json.loads(value)
            puts = []
            for number in range(1, copies + 1):
                name = f"{stored['metadata']['name']}-{number}"
                metadata = stored["metadata"] | {"name": name, "uid": str(uuid.uuid4())}
                body = json.dumps(stored | {"metadata": metadata}).encode()
                puts.append({"requestPut": {"key": _text(prefix + name.encode()), "value": _text(body)}})
            for start in range(0, len(puts), _TRANSACTION):
                self._ask("/v3/kv/txn", {"success": puts[start : start + _TRANSACTION]})

    def delete_all(self, plural: str, namespace: str) -> None:
        """Remove all objects at once, as no client of the API server can."""
        prefix = self._prefix(plural, namespace)
        self._ask("/v3/kv/deleterange", {"key": _text(prefix), "range_end": _text(_after(prefix))})

    def _prefix(self, plural: str, namespace: str) -> bytes:
        return f"{self._root}/{plural}/{namespace}/".replace("//", "/").encode()

    def _values(self, prefix: bytes) -> list[bytes]:
        start, found = prefix, list[bytes]()
        while True:
            asked = {"key": _text(start), "range_end": _text(_after(prefix)), "limit": str(_PAGE)}
            answer = self._ask("/v3/kv/range", asked)
            pairs = answer.get("kvs", [])
            found += [base64.b64decode(pair["value"]) for pair in pairs]
            if not answer.get("more"):
                return found
            start = base64.b64decode(pairs[-1]["key"]) + b"\0"

    def _ask(self, path: str, question: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=_LIMIT_SECONDS
        )
        try:
            connection.request("POST", path, json.dumps(question))
            response = connection.getresponse()
            body = response.read()
            assert response.status == http.client.OK, body[:500]
            answer: dict[str, list[dict[str, str]]] = json.loads(body)
            return answer
        finally:
            connection.close()


def _address(plane: Plane) -> str:
    """Where the plane's etcd listens, as its own command line says."""
    flag = b"--listen-client-urls="
    words = Path(f"/proc/{plane.children()[ETCD].pid}/cmdline").read_bytes().split(b"\0")
    return next(word.removeprefix(flag).decode() for word in words if word.startswith(flag))


def _after(prefix: bytes) -> bytes:
    return prefix[:-1] + bytes([prefix[-1] + 1])


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
