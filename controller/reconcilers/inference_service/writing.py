"""Writes of a service's status beside another writer: the gateway has `status.requestCounts`, the operator the rest.

A write is a merge patch of what differs from the status that was decided upon, with the version that the decision saw
as its precondition. So it never touches the gateway's part, and where only that moved on, it is sent once more with the
version of now: what was decided still holds.
"""

from collections.abc import Mapping
from typing import Any, Final

from api.object import dump
from api.v1beta1 import InferenceService
from api.v1beta1.inference_service import InferenceServiceStatus
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict
from controller.state.kinds import INFERENCE_SERVICES

#: The gateway writes a service once a minute and shard, so two in a row that get between are rare.
ATTEMPTS: Final = 3
_GATEWAYS: Final = "requestCounts"


async def write_status(client: Client, service: InferenceService, status: InferenceServiceStatus) -> InferenceService:
    """The service as it is stored then; `service` is what the decision saw.

    Raises:
        Conflict: something else of it than what the gateway counts has changed: look again, and decide anew.
    """
    stored = service.status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    wanted = merge_patch(stored, {**_ours(status), _GATEWAYS: stored.get(_GATEWAYS)})
    seen = service
    for _ in range(ATTEMPTS - 1):
        try:
            return await _patch(client, seen, wanted)
        except Conflict:
            live = await _read(client, service)
            if _decided_upon(live) != _decided_upon(service):
                raise
            seen = live
    return await _patch(client, seen, wanted)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7386: what makes `after` of `before`, where None takes away and lists are whole."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, value in after.items():
        known = before.get(name)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            inner = merge_patch(known, value)
            if inner:
                patch[name] = inner
        elif known != value:
            patch[name] = value
    return patch


async def _patch(client: Client, seen: InferenceService, status: Mapping[str, Any]) -> InferenceService:
    metadata = seen.metadata
    body = {"metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version}, "status": status}
    stored = await client.merge_patch(INFERENCE_SERVICES, metadata.name, body, metadata.namespace, subresource="status")
    return InferenceService.model_validate(stored)


async def _read(client: Client, service: InferenceService) -> InferenceService:
    stored = await client.get(INFERENCE_SERVICES, service.metadata.name, service.metadata.namespace)
    return InferenceService.model_validate(stored)


def _ours(status: InferenceServiceStatus) -> dict[str, Any]:
    """The operator's part of a status, as the API server has it."""
    return {name: value for name, value in dump(status).items() if name != _GATEWAYS}


def _decided_upon(service: InferenceService) -> tuple[object, ...]:
    """All that a decision reads of a service, but for what the gateway counts."""
    metadata = service.metadata
    return metadata.uid, metadata.generation, metadata.deletion_timestamp, _ours(service.status)
