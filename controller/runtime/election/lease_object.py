"""The Lease on the API server: read, create, and replace at the version that was read."""

from collections.abc import Mapping
from typing import Protocol

from controller.runtime.client.client import Client
from controller.runtime.client.core import LEASES
from controller.runtime.client.errors import NotFound
from controller.runtime.election.lease import LeaseRecord
from controller.runtime.manifest import Manifest, version_of


class LeaseObject(Protocol):
    """One Lease."""

    async def read(self) -> tuple[LeaseRecord, str] | None:
        """The record and its resourceVersion, None when there is no Lease. Raises ApiError."""
        ...

    async def create(self, record: LeaseRecord) -> str:
        """Create the Lease; its version. Raises ApiError, AlreadyExists among them."""
        ...

    async def replace(self, record: LeaseRecord, version: str) -> str:
        """Write over `version`; the new one. Raises ApiError, Conflict when that is not the latest."""
        ...


class ApiLease:
    """A Lease behind a Client. Labels, annotations and fields of its spec that others set are kept.

    `labels` are put on it when it is created, and `annotations` whenever it is written.
    """

    def __init__(self, client: Client, namespace: str, name: str, *, labels: Mapping[str, str] | None = None) -> None:
        self._client = client
        self.namespace = namespace
        self.name = name
        self._labels = dict(labels or {})
        self._last: Manifest = {}

    def annotations(self) -> Mapping[str, str]:
        """What the next write says besides: nothing, unless a subclass has something to say."""
        return {}

    async def read(self) -> tuple[LeaseRecord, str] | None:
        """See LeaseObject."""
        try:
            self._last = await self._client.get(LEASES, self.name, self.namespace)
        except NotFound:
            return None
        return LeaseRecord.of(self._last.get("spec") or {}), version_of(self._last)

    async def create(self, record: LeaseRecord) -> str:
        """See LeaseObject."""
        metadata: Manifest = {"namespace": self.namespace, "name": self.name}
        if self._labels:
            metadata["labels"] = self._labels
        if annotations := self.annotations():
            metadata["annotations"] = dict(annotations)
        self._last = await self._client.create(LEASES, {"metadata": metadata, "spec": record.spec()})
        return version_of(self._last)

    async def replace(self, record: LeaseRecord, version: str) -> str:
        """See LeaseObject."""
        metadata = {**self._last["metadata"], "resourceVersion": version}
        if annotations := self.annotations():
            metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
        spec = {**(self._last.get("spec") or {}), **record.spec()}
        self._last = await self._client.replace(LEASES, {**self._last, "metadata": metadata, "spec": spec})
        return version_of(self._last)
