"""The harness's own small client: blocking, as `system:masters`, for setting up and looking at a plane.

The operator's client is what is being tested; it must not be what the tests stand on.
"""

import http.client
import json
import ssl
from collections.abc import Iterable
from copy import copy
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import yaml

from e2e.plane.errors import AdminError

Object = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_AGGREGATED_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_LIMIT_SECONDS = 30.0
_READY_SECONDS = 3.0
_FIELD_MANAGER = "aim-plane"


class Admin:
    """Sends one request a connection: slow enough not to be a benchmark client, and safe in threads."""

    def __init__(self, server: str, authority: Path, token: str) -> None:
        parts = urlsplit(server)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._headers = {"Authorization": f"Bearer {token}"}
        self._plurals: dict[str, dict[str, tuple[str, bool]]] = {}

    def acting_as(self, user: str) -> Self:
        """The same with all rights, but in the name of `user`, whom admission policies know by that."""
        other = copy(self)
        other._headers = self._headers | {"Impersonate-User": user, "Impersonate-Group": "system:masters"}  # noqa: SLF001 - its own class
        return other

    def raw(
        self,
        method: str,
        path: str,
        body: Object | list[Any] | None = None,
        content_type: str = "application/json",
        limit_seconds: float = _LIMIT_SECONDS,
        accept: str = "application/json",
    ) -> tuple[int, bytes]:
        """Status and body of one request. Raises OSError or http.client.HTTPException when there is no answer."""
        connection = http.client.HTTPSConnection(self._host, self._port, context=self._tls, timeout=limit_seconds)
        try:
            payload = None if body is None else json.dumps(body)
            headers = self._headers | {"Content-Type": content_type, "Accept": accept}
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def request(
        self, method: str, path: str, body: Object | list[Any] | None = None, content_type: str = "application/json"
    ) -> Object:
        """The decoded answer. Raises AdminError for any status but 2xx."""
        status, content = self.raw(method, path, body, content_type)
        if status >= http.client.MULTIPLE_CHOICES:
            try:
                told = json.loads(content)
            except ValueError:
                told = {"message": content.decode(errors="replace")}
            raise AdminError(status, told.get("reason", ""), f"{method} {path}: {told.get('message', '')}")
        decoded: Object = json.loads(content)
        return decoded

    def get(self, path: str) -> Object:
        """One object, or a list object."""
        return self.request("GET", path)

    def find(self, path: str) -> Object | None:
        """One object, or None when there is none of that name."""
        try:
            return self.get(path)
        except AdminError as error:
            if error.status == http.client.NOT_FOUND:
                return None
            raise

    def create(self, path: str, obj: Object) -> Object:
        """POST to a collection, or to a subresource such as `.../token`."""
        return self.request("POST", path, obj)

    def patch(self, path: str, patch: Object | list[Any]) -> Object:
        """A merge patch, or, when it is a list of operations, a JSON patch."""
        return self.request("PATCH", path, patch, JSON_PATCH if isinstance(patch, list) else MERGE_PATCH)

    def delete(self, path: str) -> None:
        """Delete; what is gone already is fine."""
        try:
            self.request("DELETE", path)
        except AdminError as error:
            if error.status != http.client.NOT_FOUND:
                raise

    def ready(self) -> bool:
        """Whether /readyz says so; False also while nobody listens."""
        try:
            return self.raw("GET", "/readyz", limit_seconds=_READY_SECONDS)[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def discovered(self) -> set[tuple[str, str, str]]:
        """(group, version, plural) of all that discovery tells of named groups, which is what clients built on it see.

        A new kind is served a moment before discovery knows of it.
        """
        groups = json.loads(self.raw("GET", "/apis", accept=_AGGREGATED_DISCOVERY)[1])["items"]
        return {
            (group["metadata"]["name"], version["version"], resource["resource"])
            for group in groups
            for version in group["versions"]
            for resource in version.get("resources", ())
        }

    def apply(self, objects: Iterable[Object]) -> list[Object]:
        """Server-side apply of whole objects, in order; those of a namespaced kind without one go to `default`."""
        return [
            self.request("PATCH", f"{self.path_of(obj)}?fieldManager={_FIELD_MANAGER}&force=true", obj, APPLY_PATCH)
            for obj in objects
        ]

    def apply_files(self, files: Iterable[Path]) -> list[Object]:
        """`apply` for every document of YAML files."""
        return [applied for file in files for applied in self.apply(documents(file))]

    def path_of(self, obj: Object) -> str:
        """The URL path of an object, its plural asked of the API server's discovery."""
        version, kind = obj["apiVersion"], obj["kind"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if kind not in self._plurals.get(version, {}):
            served = self.get(base)["resources"]
            self._plurals[version] = {
                entry["kind"]: (entry["name"], entry["namespaced"]) for entry in served if "/" not in entry["name"]
            }
        if kind not in self._plurals[version]:
            raise AdminError(http.client.NOT_FOUND, "NoKind", f"{version} has no kind {kind}: apply its CRD first")
        plural, namespaced = self._plurals[version][kind]
        metadata = obj["metadata"]
        scope = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{base}{scope}/{plural}/{quote(metadata['name'])}"


def documents(file: Path) -> list[Object]:
    """The objects of a YAML file; empty documents are left out."""
    return [document for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if document]
