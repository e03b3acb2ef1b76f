"""Leases (coordination.k8s.io/v1): who leads, and when they were last heard of."""

from controller.runtime.objects.metadata import ApiStruct, KubeObject


class LeaseSpec(ApiStruct, frozen=True, kw_only=True):
    """The record. Times have microseconds ("2026-01-01T00:00:00.000000Z"); an empty holder has released it."""

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int = 0


NO_RECORD = LeaseSpec()


class Lease(KubeObject, frozen=True, kw_only=True):
    """A lease."""

    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"
    spec: LeaseSpec = NO_RECORD
