"""Reads every revision of the judged kinds out of a plane's etcd: nothing that was ever stored is missing, whoever was
killed meanwhile.

For that the plane stores JSON and never compacts (`PLANE_ARGUMENTS`). In: etcd's address. Out: revisions, in order.
"""

import base64
import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from e2e.plane import Plane, PlaneError
from e2e.plane.components import APISERVER
from tests.chaos.facts import Kind
from tests.chaos.history import Revision

AUDIT_POLICY: Final = Path(__file__).with_name("audit-policy.yaml")
PLANE_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    APISERVER: (
        f"--audit-policy-file={AUDIT_POLICY}",
        "--storage-media-type=application/json",
        "--etcd-compaction-interval=0",
    )
}
_PREFIX: Final = "/registry/"
_SILENCE_SECONDS: Final = 30.0


def etcd_address(plane: Plane) -> str:
    """HOST:PORT at which etcd answers plain HTTP."""
    return urlsplit(plane.etcd_server).netloc


def revisions(address: str) -> Iterator[Revision]:
    """All until now, which must be asked for while etcd runs. Raises PlaneError for a history that is not whole."""
    last = _last_revision(address)
    connection = http.client.HTTPConnection(address, timeout=_SILENCE_SECONDS)
    wanted = {**_range(), "start_revision": "1", "fragment": True, "progress_notify": True}
    connection.request("POST", "/v3/watch", json.dumps({"create_request": wanted}))
    response, seen = connection.getresponse(), 0
    try:
        while seen < last:
            answer = json.loads(response.readline() or b"{}")
            result = answer.get("result")
            if result is None or result.get("canceled"):
                raise PlaneError(f"etcd does not tell its history: {str(answer)[:200]}")
            for event in result.get("events", ()):
                seen = int(event["kv"]["mod_revision"])
                if seen <= last and (found := _revision(seen, event)) is not None:
                    yield found
    finally:
        connection.close()


def _range() -> dict[str, str]:
    end = f"{_PREFIX[:-1]}{chr(ord('/') + 1)}"
    return {"key": _encoded(_PREFIX), "range_end": _encoded(end)}


def _last_revision(address: str) -> int:
    """Of any key with the prefix: the newest, so that the watch comes to an end."""
    connection = http.client.HTTPConnection(address, timeout=_SILENCE_SECONDS)
    newest = {**_range(), "sort_order": "DESCEND", "sort_target": "MOD", "limit": "1", "keys_only": True}
    connection.request("POST", "/v3/kv/range", json.dumps(newest))
    found = json.loads(connection.getresponse().read())
    connection.close()
    return int(found["kvs"][0]["mod_revision"])


def _revision(number: int, event: Mapping[str, Any]) -> Revision | None:
    """None for a kind that is not judged."""
    path = base64.b64decode(event["kv"]["key"]).decode().removeprefix(_PREFIX)
    for kind in Kind:
        if path.startswith(f"{kind}/"):
            removed = event.get("type") == "DELETE"
            obj = None if removed else json.loads(base64.b64decode(event["kv"]["value"]))
            if obj is not None:
                obj["metadata"]["resourceVersion"] = str(number)
            return Revision(number, kind, path.removeprefix(f"{kind}/"), obj)
    return None


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
