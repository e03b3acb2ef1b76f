"""Every state of a service's allocations between two moments: what a watch tells, so nothing is missed between two looks.

The API server keeps the events of the last minutes, so the watch is read afterwards, from where the history began. It is
whole only if it leads to what a list says then, and is asked for again until it does.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeAlias

from tests.integration.operator.running import Object, Running

Devices: TypeAlias = frozenset[str]
Holds: TypeAlias = Callable[[Object], Devices]
Objects: TypeAlias = dict[str, Object]
Counts: TypeAlias = dict[str, list[int]]


def of_resource_claim(claim: Object) -> Devices:
    """The devices that the scheduler gave to a ResourceClaim, none before and after."""
    results = claim.get("status", {}).get("allocation", {}).get("devices", {}).get("results", ())
    return frozenset(f"{one['pool']}/{one['device']}" for one in results)


def of_partition_claim(claim: Object) -> Devices:
    """The partitions that a GPUPartitionClaim has: the operator's word, a little before the scheduler's."""
    status = claim.get("status", {})
    if status.get("phase") not in ("Bound", "Allocated"):
        return frozenset()
    allocation = status["allocation"]
    return frozenset(f"{allocation['node']}/{one['bdf']}/{one['partition']}" for one in allocation["devices"])


def pod_of(claim: Object) -> str:
    """Whose it is; "" for nobody's."""
    named = claim.get("spec", {}).get("podRef", {}).get("name")
    owners = (one["name"] for one in claim["metadata"].get("ownerReferences", ()) if one["kind"] == "Pod")
    return str(named or next(owners, ""))


@dataclass
class _Kind:
    """One kind of claim: where it is listed, what one holds, and how its history began."""

    path: str
    holds: Holds
    version: str = ""
    objects: Objects = field(default_factory=dict)
    marks: list[tuple[str, int]] = field(default_factory=list)


class AllocationHistory:
    """Of the pods whose names begin with `app`, in the phases that `phase` ended, in their order."""

    def __init__(self, cluster: Running, app: str) -> None:
        self._cluster = cluster
        self._app = app
        self._kinds = (
            _Kind(cluster.resource_claims_path, of_resource_claim),
            _Kind(cluster.claims_path, of_partition_claim),
        )

    async def begin(self) -> None:
        """The history begins now."""
        for kind in self._kinds:
            listed = await self._cluster.get(kind.path)
            kind.version, kind.objects = listed["metadata"]["resourceVersion"], _by_name(listed["items"])

    async def phase(self, name: str) -> None:
        """What has happened since the last phase ended, or the history began, was of this phase."""
        for kind in self._kinds:
            listed = await self._cluster.get(kind.path)
            kind.marks.append((name, int(listed["metadata"]["resourceVersion"])))

    async def counts(self) -> tuple[Counts, Counts]:
        """How many pods had an allocation, from change to change, by phase: as ResourceClaims and as
        GPUPartitionClaims tell it. No device was in two claims, whosever.
        """
        first, second = [await self._counts_of(kind) for kind in self._kinds]
        return first, second

    async def _counts_of(self, kind: _Kind) -> Counts:
        events = await self._events(kind)
        found: Counts = {}
        state, rest = dict(kind.objects), list(events)
        for name, until in kind.marks:
            seen = [self._count(kind, state)]
            while rest and _version(rest[0]["object"]) <= until:
                _take(state, rest.pop(0))
                seen.append(self._count(kind, state))
            found[name] = [number for number, _ in groupby(seen)]
        return found

    def _count(self, kind: _Kind, state: Objects) -> int:
        held = [(pod_of(claim), devices) for claim in state.values() if (devices := kind.holds(claim))]
        given = [device for _, devices in held for device in devices]
        assert len(given) == len(set(given)), f"a device is in two claims: {held}"
        return sum(pod.startswith(self._app) for pod, _ in held)

    async def _events(self, kind: _Kind) -> list[Object]:
        """All events since the beginning: as many as lead to what is there now."""

        async def whole() -> tuple[list[Object]] | None:
            now = _by_name((await self._cluster.get(kind.path))["items"])
            read = list(await asyncio.to_thread(self._watched, kind))
            state = dict(kind.objects)
            for event in read:
                _take(state, event)
            same = {name: _version(one) for name, one in state.items()} == {
                name: _version(one) for name, one in now.items()
            }
            return (read,) if same else None

        (events,) = await self._cluster.eventually(f"the watch of {kind.path} tells all", whole)
        return list(events)

    def _watched(self, kind: _Kind) -> Iterator[Object]:
        path = f"{kind.path}?watch=1&resourceVersion={kind.version}&timeoutSeconds=1"
        status, content = self._cluster.plane.admin.raw("GET", path)
        for line in content.splitlines():
            event: dict[str, Any] = json.loads(line)
            assert (status, event["type"] == "ERROR") == (200, False), event
            yield event


def _by_name(objects: Iterable[Object]) -> Objects:
    return {one["metadata"]["name"]: one for one in objects}


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _take(state: Objects, event: Object) -> None:
    """The state after an event."""
    name = event["object"]["metadata"]["name"]
    if event["type"] == "DELETED":
        del state[name]
    else:
        state[name] = event["object"]
