"""Events become requests: mappings, owners, predicates, priorities."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.core import DAEMON_SETS, NODES, PODS, REPLICA_SETS
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest
from controller.runtime.objects.pod import Pod
from controller.runtime.predicate import labels_changed
from controller.runtime.reconcile import Request
from controller.runtime.source import LOW, NORMAL, EventMapping, controller_owner, handler_of, itself

WIDGETS = Resource("example.com", "v2", "widgets", "Widget", namespaced=False)


def obj(version: str = "1", **metadata: object) -> Manifest:
    return {"metadata": {"namespace": "ns", "name": "a", "resourceVersion": version, **metadata}}


def added(new: Any, *, initial: bool = False) -> StoreEvent[Any]:
    return StoreEvent(EventType.ADDED, "ns/a", None, new, initial=initial)


def moved(old: Any, new: Any) -> StoreEvent[Any]:
    return StoreEvent(EventType.MODIFIED, "ns/a", old, new)


def gone(old: Any) -> StoreEvent[Any]:
    return StoreEvent(EventType.DELETED, "ns/a", old, None)


def resynced(held: Any) -> StoreEvent[Any]:
    return StoreEvent(EventType.MODIFIED, "ns/a", held, held, unchanged=True)


def handled(event: StoreEvent[Any], mapping: EventMapping = itself, **options: Any) -> list[tuple[str, int]]:
    """What a handler adds for `event`: (request, priority)."""
    found: list[tuple[str, int]] = []
    options = {"predicates": (), "on_resync": False, **options}
    handler_of(mapping, add=lambda request, priority: found.append((str(request), priority)), **options)(event)
    return found


HELD = obj()

PRIORITIES = [
    pytest.param(added(obj()), [("ns/a", NORMAL)], id="created just now"),
    pytest.param(added(obj(), initial=True), [("ns/a", LOW)], id="there from the beginning"),
    pytest.param(moved(obj("1"), obj("2")), [("ns/a", NORMAL)], id="changed"),
    pytest.param(gone(obj()), [("ns/a", NORMAL)], id="deleted"),
    pytest.param(resynced(HELD), [], id="repeated by a resync"),
    pytest.param(moved(obj("1"), obj("1")), [], id="told twice by the server"),
    pytest.param(moved(obj(""), obj("")), [("ns/a", NORMAL)], id="without versions one cannot know"),
]


@pytest.mark.parametrize(("event", "want"), PRIORITIES)
def test_what_happened_decides_the_priority(event: StoreEvent[Any], want: list[tuple[str, int]]) -> None:
    assert handled(event) == want


def test_a_resync_counts_at_low_priority_where_it_is_asked_for() -> None:
    assert handled(resynced(HELD), on_resync=True) == [("ns/a", LOW)]


def test_a_mapping_may_give_priorities() -> None:
    def both(_event: StoreEvent[Any]) -> Iterable[Request | tuple[Request, int]]:
        return [Request("ns", "x"), (Request("", "y"), 7)]

    assert handled(added(obj(), initial=True), both) == [("ns/x", LOW), ("y", 7)]


def test_every_predicate_must_agree() -> None:
    relabelled = moved(obj("1"), obj("2", labels={"a": "b"}))
    assert handled(relabelled, predicates=[labels_changed]) == [("ns/a", NORMAL)]
    assert handled(relabelled, predicates=[labels_changed, lambda _: False]) == []
    assert handled(moved(obj("1"), obj("2")), predicates=[labels_changed]) == []


def owned(api_version: str, kind: str, name: str, controller: bool = True) -> Manifest:
    reference = {"apiVersion": api_version, "kind": kind, "name": name, "uid": "u", "controller": controller}
    return obj("2", ownerReferences=[reference])


OWNERS = [
    pytest.param(REPLICA_SETS, owned("apps/v1", "ReplicaSet", "web"), ["ns/web"], id="a namespaced owner"),
    pytest.param(REPLICA_SETS, owned("apps/v1beta2", "ReplicaSet", "web"), ["ns/web"], id="in another version"),
    pytest.param(NODES, owned("v1", "Node", "worker-0"), ["worker-0"], id="a cluster-scoped owner of the core group"),
    pytest.param(WIDGETS, owned("example.com/v1", "Widget", "w"), ["w"], id="a custom one"),
    pytest.param(REPLICA_SETS, owned("apps/v1", "ReplicaSet", "web", controller=False), [], id="not its controller"),
    pytest.param(REPLICA_SETS, owned("other.io/v1", "ReplicaSet", "web"), [], id="the kind of another group"),
    pytest.param(DAEMON_SETS, owned("apps/v1", "ReplicaSet", "web"), [], id="another kind of the group"),
    pytest.param(PODS, obj(), [], id="no owner"),
]


@pytest.mark.parametrize(
    "form", [lambda found: found, lambda found: msgspec.convert(found, Pod)], ids=["dict", "struct"]
)
@pytest.mark.parametrize(("owner", "child", "want"), OWNERS)
def test_owners(form: Callable[[Manifest], Any], owner: Resource, child: Manifest, want: list[str]) -> None:
    for event in (added(form(child)), gone(form(child)), moved(form(obj("1")), form(child))):
        assert handled(event, controller_owner(owner)) == [(request, NORMAL) for request in want]


def test_a_change_of_owner_concerns_both_and_else_the_owner_once() -> None:
    before, after = owned("apps/v1", "ReplicaSet", "old"), owned("apps/v1", "ReplicaSet", "new")
    after["metadata"]["resourceVersion"] = "3"
    mapping = controller_owner(REPLICA_SETS)
    assert handled(moved(before, after), mapping) == [("ns/new", NORMAL), ("ns/old", NORMAL)]
    assert handled(moved(before, {**before, "metadata": {**before["metadata"], "resourceVersion": "9"}}), mapping) == [
        ("ns/old", NORMAL)
    ]
