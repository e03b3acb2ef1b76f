"""Writes one ConfigMap of AIM profiles, unless it is somebody else's, and remembers what was written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.profile_map.files import in_use
from controller.runtime.client.apply import apply_to
from controller.runtime.client.client import Client
from controller.runtime.client.core import CONFIG_MAPS
from controller.runtime.client.errors import BadRequest, Forbidden, Invalid, NotFound
from controller.runtime.manifest import Manifest
from controller.state.profile_maps import ProfileMaps, Refused

MANAGER = "aim-gpu-operator"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written. `files` None leaves those that there are; `claims` are of the pods that use it.

    `metadata` sees the one that is there ({} without) and gives what is ours of it; `ours` says whether we may.
    """

    name: str
    namespace: str
    files: Mapping[str, str] | None
    claims: Sequence[GPUPartitionClaim]
    metadata: Callable[[Manifest], Json]
    ours: Callable[[Manifest], bool]
    remedy: str

    @property
    def key(self) -> str:
        """The store key."""
        return f"{self.namespace}/{self.name}"


class ProfileMapWriter:
    """Every outcome is noted in `written`, where those who wait for it look."""

    def __init__(self, client: Client, written: ProfileMaps) -> None:
        self._client = client
        self._written = written

    def refuse(self, key: str, reason: str, message: str) -> Refused:
        """Note why it cannot be written."""
        refused = Refused(reason, message)
        self._written.refuse(key, refused)
        return refused

    async def write(self, wanted: Wanted) -> Refused | None:
        """Look, and apply; why it cannot be written. Raises ApiError where trying again may help."""
        present = await self._present(wanted)
        if present and not wanted.ours(present):
            message = f"ConfigMap {wanted.key} belongs to somebody else; delete it or {wanted.remedy}"
            return self.refuse(wanted.key, "NameTaken", message)
        there = present.get("data") or {}
        data = dict(there) if wanted.files is None else {**wanted.files, **in_use(there, wanted.claims)}
        metadata = {**wanted.metadata(present), "name": wanted.name, "namespace": wanted.namespace}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        try:
            stored = await apply_to(self._client, CONFIG_MAPS, body, present, field_manager=MANAGER)
        except (BadRequest, Invalid, Forbidden) as error:
            return self.refuse(wanted.key, "BackendRefused", f"ConfigMap: {error.message}")
        except NotFound:
            return self.refuse(wanted.key, "BackendRefused", "the namespace is gone")
        owners = [reference["uid"] for reference in metadata["ownerReferences"]]
        self._written.wrote(wanted.key, stored["metadata"]["resourceVersion"], data, owners)
        return None

    async def _present(self, wanted: Wanted) -> Manifest:
        try:
            found: Manifest = await self._client.get(CONFIG_MAPS, wanted.name, wanted.namespace)
        except NotFound:
            return {}
        return found
