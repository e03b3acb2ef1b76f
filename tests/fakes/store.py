"""An API server's store in memory: no sockets, no validation, no admission, and time that a test owns.

    store = FakeStore(clock, [PODS, LEASES])
    async with Client(NOWHERE, transport=store.transport("operator")) as client:
        await client.create(PODS, {"metadata": {"namespace": "default", "name": "web-0"}})

It keeps what controllers depend on: resourceVersions and their conflicts, generations, the status subresource, uid
preconditions, graceful deletion of pods that run, evictions within disruption budgets, the garbage collector. A
conformance suite holds it against the real API server. Stored objects are never changed, only replaced.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from controller.binding.dra import FINALIZER
from controller.runtime.client.core import NODES, POD_DISRUPTION_BUDGETS, PODS
from controller.runtime.client.errors import AlreadyExists, Cause, Conflict, Gone, Invalid, NotFound, TooManyRequests
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest
from tests.builders.json_patch import PatchFailed
from tests.fakes.api_server import same
from tests.fakes.disruption_budget import forbidding
from tests.fakes.store_selection import selected
from tests.fakes.store_watch import Watch
from tests.fakes.writes import APPLY_PATCH, written

GRACE_SECONDS = 30
"""How long a pod that runs may take to end, unless the deletion says otherwise."""
_COLLECT_SECONDS = 0.05
# What the server alone writes.
_OWN_METADATA = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True, slots=True)
class Write:
    """One stored change: `before` None: created, `after` None: gone. `who` wrote, "" for the cluster itself."""

    who: str
    resource: Resource
    before: Manifest | None
    after: Manifest | None
    version: int

    @property
    def object(self) -> Manifest:
        """The object after the write, or the last state of one that is gone."""
        found = self.after if self.after is not None else self.before
        assert found is not None
        return found


class FakeStore:
    """Holds objects of `resources`; others are NotFound. `on_write` hears of every change, as soon as it is stored.

    From one event loop only, except before it runs. Neither what comes in nor what goes out may be changed afterwards.
    """

    def __init__(self, clock: Clock, resources: Iterable[Resource], rng: Random | None = None) -> None:
        self.clock = clock
        self.resources = {resource.path(): resource for resource in resources}
        self.on_write: list[Callable[[Write], None]] = []
        self.version = self.oldest = 1
        self._rng = rng or Random(1)
        self._objects: dict[Resource, dict[tuple[str, str], Manifest]] = {r: {} for r in self.resources.values()}
        self._history: dict[Resource, list[Write]] = defaultdict(list)
        self._watches: dict[Resource, list[Watch]] = defaultdict(list)
        self._owned: dict[str, set[tuple[Resource, tuple[str, str]]]] = defaultdict(set)

    # Reading ---------------------------------------------------------------------------------------------------------

    def find(self, resource: Resource, name: str, namespace: str = "") -> Manifest | None:
        """The object, None when it is not there."""
        return self._of(resource).get((namespace, name))

    def get(self, resource: Resource, name: str, namespace: str = "") -> Manifest:
        """The object. Raises NotFound."""
        found = self.find(resource, name, namespace)
        if found is None:
            raise NotFound(404, "NotFound", f'{resource} "{name}" not found')
        return found

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> list[Manifest]:
        """Objects by namespace and name."""
        matches = selected(namespace, labels, fields)
        return [obj for _, obj in sorted(self._of(resource).items()) if matches(obj)]

    def watch(self, watch: Watch, after: int) -> None:
        """Tell `watch` of every change after the version `after`, until `unwatch`. Raises Gone."""
        if after < self.oldest:
            raise Gone(410, "Expired", f"too old resource version: {after} ({self.oldest})")
        for past in self._history[watch.resource]:
            if past.version > after:
                watch.take(past.before, past.after)
        self._watches[watch.resource].append(watch)

    def unwatch(self, watch: Watch) -> None:
        """Tell it no more."""
        self._watches[watch.resource].remove(watch)

    # Writing ---------------------------------------------------------------------------------------------------------

    def create(self, resource: Resource, obj: Manifest, who: str = "") -> Manifest:
        """Store a new object. Raises AlreadyExists."""
        obj = {**obj, "metadata": {**obj["metadata"]}}
        metadata = obj["metadata"]
        if metadata.get("generateName") and not metadata.get("name"):
            metadata["name"] = f"{metadata['generateName']}{self._rng.getrandbits(20):05x}"
        key = (metadata.get("namespace", ""), metadata["name"])
        if key in self._of(resource):
            raise AlreadyExists(409, "AlreadyExists", f'{resource} "{metadata["name"]}" already exists')
        metadata.pop("resourceVersion", None)
        metadata |= {"uid": self._uid(), "creationTimestamp": self._moment(), "generation": 1}
        if resource == PODS:
            obj["status"] = {"phase": "Pending"}
        elif resource != NODES:
            obj.pop("status", None)  # its own subresource, which a creation cannot set
        stored = self._store(who, resource, None, obj)
        if metadata.get("ownerReferences"):
            self._later(lambda: self._collect_orphan(resource, key))
        return stored

    def write(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        sent: Any,
        *,
        method: str = "PATCH",
        content_type: str = "application/merge-patch+json",
        subresource: str | None = None,
        who: str = "",
    ) -> Manifest:
        """PUT or PATCH. Raises NotFound, Conflict (another resourceVersion or uid), Invalid (a patch's failed test)."""
        held = self.find(resource, name, namespace)
        if held is None and content_type == APPLY_PATCH:
            return self.create(resource, sent, who)
        if held is None:
            raise NotFound(404, "NotFound", f'{resource} "{name}" not found')
        try:
            after = written(method, content_type, subresource, held, sent)
        except PatchFailed as error:
            raise Invalid(422, "Invalid", str(error)) from error
        self._refuse_other(held, after["metadata"].get("uid"), after["metadata"].get("resourceVersion"))
        after = _restored(held, after, subresource)
        if same(after, held):
            return held
        if {**after, "metadata": 0, "status": 0} != {**held, "metadata": 0, "status": 0}:
            after["metadata"]["generation"] = held["metadata"].get("generation", 1) + 1
        if "deletionTimestamp" in after["metadata"] and not after["metadata"].get("finalizers") and resource != PODS:
            self._remove(who, resource, held)
            return after
        return self._store(who, resource, held, after)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace: int | None = None,
        who: str = "",
    ) -> Manifest:
        """Delete, or mark a pod that runs and what has finalizers. Raises NotFound, Conflict."""
        held = self.get(resource, name, namespace)
        self._refuse_other(held, uid, resource_version)
        runs = resource == PODS and held["spec"].get("nodeName") and _phase(held) not in ("Succeeded", "Failed")
        seconds = (GRACE_SECONDS if grace is None else grace) if runs else 0
        if not seconds and not _kept(held):
            self._remove(who, resource, held)
            return held
        if "deletionTimestamp" in held["metadata"]:
            return held
        marks = {"deletionTimestamp": self._moment(), "deletionGracePeriodSeconds": seconds}
        return self._store(who, resource, held, {**held, "metadata": {**held["metadata"], **marks}})

    def evict(self, name: str, namespace: str, *, uid: str | None = None, who: str = "") -> None:
        """Delete the pod unless a disruption budget forbids it. Raises NotFound, Conflict, TooManyRequests."""
        pod = self.get(PODS, name, namespace)
        self._refuse_other(pod, uid, None)
        budget = forbidding(pod, self.list(POD_DISRUPTION_BUDGETS, namespace), self.list(PODS, namespace))
        if budget is not None:
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            causes = (Cause("", "DisruptionBudget", f"The disruption budget {budget} needs more healthy pods"),)
            raise TooManyRequests(429, "TooManyRequests", message, causes, retry_after=10.0)
        self.delete(PODS, name, namespace, who=who)

    # Inside ----------------------------------------------------------------------------------------------------------

    def _of(self, resource: Resource) -> dict[tuple[str, str], Manifest]:
        try:
            return self._objects[resource]
        except KeyError:
            raise NotFound(404, "NotFound", f"{resource} is not served") from None

    def _store(self, who: str, resource: Resource, before: Manifest | None, after: Manifest) -> Manifest:
        self.version += 1
        metadata = {**after["metadata"], "resourceVersion": str(self.version)}
        stored = {"apiVersion": resource.api_version, "kind": resource.kind, **after, "metadata": metadata}
        key = (metadata.get("namespace", ""), metadata["name"])
        self._objects[resource][key] = stored
        for owner in metadata.get("ownerReferences") or ():
            self._owned[owner["uid"]].add((resource, key))
        self._tell(Write(who, resource, before, stored, self.version))
        return stored

    def _remove(self, who: str, resource: Resource, held: Manifest) -> None:
        self.version += 1
        del self._objects[resource][held["metadata"].get("namespace", ""), held["metadata"]["name"]]
        last = {**held, "metadata": {**held["metadata"], "resourceVersion": str(self.version)}}
        self._tell(Write(who, resource, last, None, self.version))
        if held["metadata"]["uid"] in self._owned:
            self._later(lambda: self._collect(held["metadata"]["uid"]))

    def _tell(self, write: Write) -> None:
        self._history[write.resource].append(write)
        for watch in self._watches[write.resource]:
            watch.take(write.before, write.after)
        for hear in self.on_write:
            hear(write)

    def _collect(self, owner: str) -> None:
        for resource, key in sorted(self._owned.pop(owner, ()), key=str):
            self._collect_orphan(resource, key)

    def _collect_orphan(self, resource: Resource, key: tuple[str, str]) -> None:
        """Delete an object none of whose owners is there."""
        obj = self._objects[resource].get(key)
        owners = {owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ()} if obj is not None else set()
        if obj is not None and owners and not owners & self._uids():
            self.delete(resource, key[1], key[0])

    def _uids(self) -> set[str]:
        return {obj["metadata"]["uid"] for objects in self._objects.values() for obj in objects.values()}

    def _later(self, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(_COLLECT_SECONDS, call)

    def _uid(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"

    def _moment(self) -> str:
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    @staticmethod
    def _refuse_other(held: Manifest, uid: str | None, version: str | None) -> None:
        metadata = held["metadata"]
        if uid is not None and uid != metadata["uid"]:
            raise Conflict(409, "Conflict", f"uid {uid}: the object's is {metadata['uid']}")
        if version is not None and version != metadata["resourceVersion"]:
            raise Conflict(409, "Conflict", "the object has been modified; apply your changes to the latest version")


def _restored(held: Manifest, after: Manifest, subresource: str | None) -> Manifest:
    """`after` with what a write cannot change."""
    metadata = {name: value for name, value in after["metadata"].items() if name not in _OWN_METADATA}
    metadata |= {name: held["metadata"][name] for name in _OWN_METADATA if name in held["metadata"]}
    kept = {**after, "metadata": metadata}
    if subresource is None:
        kept.pop("status", None)
        if "status" in held:
            kept["status"] = held["status"]
    return kept


def _kept(held: Manifest) -> bool:
    """Whether finalizers hold up a deletion; Kubernetes' own on a ResourceClaim only while a pod has reserved it."""
    reserved = (held.get("status") or {}).get("reservedFor")
    return bool(set(held["metadata"].get("finalizers") or ()) - (set() if reserved else {FINALIZER}))


def _phase(pod: Manifest) -> str:
    phase: str = pod.get("status", {}).get("phase", "")
    return phase
