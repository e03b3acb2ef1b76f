"""The Lease on the API server: read, create, and replace at the version that was read."""

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
    """A Lease behind a Client. Labels, annotations and fields of its spec that others set are kept."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._last: Manifest = {}

    async def read(self) -> tuple[LeaseRecord, str] | None:
        """See LeaseObject."""
        try:
            self._last = await self._client.get(LEASES, self._name, self._namespace)
        except NotFound:
            return None
        return LeaseRecord.of(self._last.get("spec") or {}), version_of(self._last)

    async def create(self, record: LeaseRecord) -> str:
        """See LeaseObject."""
        lease = {"metadata": {"namespace": self._namespace, "name": self._name}, "spec": record.spec()}
        self._last = await self._client.create(LEASES, lease)
        return version_of(self._last)

    async def replace(self, record: LeaseRecord, version: str) -> str:
        """See LeaseObject."""
        metadata = {**self._last["metadata"], "resourceVersion": version}
        spec = {**(self._last.get("spec") or {}), **record.spec()}
        self._last = await self._client.replace(LEASES, {**self._last, "metadata": metadata, "spec": spec})
        return version_of(self._last)
