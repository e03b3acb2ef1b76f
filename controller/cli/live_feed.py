"""Policies, ModelProfiles and namespaces of files, told to the copy of a real cluster as if they were there. No I/O."""

from typing import Any

from pydantic import BaseModel

from controller.cli.live_cluster import Live
from controller.cli.wanted import Wanted
from controller.runtime.cache.store import EventType, StoreEvent


def feed(live: Live, wanted: Wanted) -> None:
    """Tell the copy of them."""
    for policy in wanted.policies:
        live.cluster.policy_table.take(_event(policy.metadata.name, _aged(live, policy)))
    for profile in wanted.profiles:
        live.sizing.take(
            _event(profile.metadata.name, profile.model_dump(by_alias=True, mode="json", exclude_none=True))
        )
    for name, labels in wanted.namespaces.items():
        if live.cluster.namespace_labels.get(name) is None:
            namespace = {"kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}}
            live.cluster.namespace_labels.take(_event(name, namespace))


def _aged(live: Live, policy: BaseModel) -> dict[str, Any]:
    """The policy as it would be stored: as old as the one of its name that is there, or the youngest of all."""
    stored = policy.model_dump(by_alias=True, mode="json", exclude_none=True)
    present = live.cluster.policy_table.get(stored["metadata"]["name"])
    created = present.metadata.creation_timestamp if present is not None else live.cluster.clock.now()
    if created is not None:
        stored["metadata"]["creationTimestamp"] = created.isoformat().replace("+00:00", "Z")
    return stored


def _event(key: str, obj: dict[str, Any]) -> StoreEvent[Any]:
    return StoreEvent(EventType.ADDED, key, None, obj)
