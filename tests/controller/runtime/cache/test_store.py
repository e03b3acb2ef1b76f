"""The store's events, indexes and figures."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

import pytest

from controller.runtime.cache.changed import ObjectChanged
from controller.runtime.cache.store import EventType, Store, StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import ObjectMeta
from controller.runtime.objects.pod import Pod, PodSpec

ADDED, MODIFIED, DELETED = EventType.ADDED, EventType.MODIFIED, EventType.DELETED


def obj(name: str, version: int = 1, uid: str = "u", node: str = "a") -> Manifest:
    metadata = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"nodeName": node}}


@pytest.fixture
def store() -> Store:
    return Store({"node": lambda pod: [pod["spec"]["nodeName"]]})


def names(found: list[Manifest]) -> list[str]:
    return [item["metadata"]["name"] for item in found]


def test_added_then_modified_then_deleted(store: Store) -> None:
    first, second, last = obj("p", 1), obj("p", 2), obj("p", 3)
    assert store.apply(first, initial=True) == [StoreEvent(ADDED, "ns/p", None, first, initial=True)]
    assert store.apply(second) == [StoreEvent(MODIFIED, "ns/p", first, second)]
    assert store.remove(last) == [StoreEvent(DELETED, "ns/p", last, None)]
    assert (len(store), store.get("ns/p")) == (0, None)


def test_the_same_version_again_is_no_event(store: Store) -> None:
    store.apply(obj("p", 1))
    assert store.apply(obj("p", 1)) == []
    assert store.statistics().unchanged == 1


def test_the_same_version_with_other_content_is_an_event(store: Store) -> None:
    store.apply(obj("p", 1, node="a"))
    assert [event.type for event in store.replace([obj("p", 1, node="b")])] == [MODIFIED]
    assert names(store.by_index("node", "b")) == ["p"]


def test_what_did_not_change_stays_the_same_object(store: Store) -> None:
    first = obj("p", 1)
    store.apply(first)
    store.replace([obj("p", 1)])
    assert store.get("ns/p") is first


def test_a_version_that_went_back_is_an_event(store: Store) -> None:
    store.apply(obj("p", 9))
    assert [event.type for event in store.apply(obj("p", 3))] == [MODIFIED]


def test_another_uid_under_the_name_is_two_objects(store: Store) -> None:
    old, new = obj("p", 1, "u1"), obj("p", 2, "u2")
    store.apply(old)
    assert store.apply(new) == [
        StoreEvent(DELETED, "ns/p", old, None),
        StoreEvent(ADDED, "ns/p", None, new),
    ]


def test_the_end_of_a_predecessor_is_not_the_successors(store: Store) -> None:
    store.apply(obj("p", 2, "u2"))
    assert store.remove(obj("p", 3, "u1")) == []
    assert len(store) == 1


def test_removing_what_is_unknown_is_no_event(store: Store) -> None:
    assert store.remove(obj("p")) == []


def test_replace_emits_the_deletes_that_were_missed(store: Store) -> None:
    for name in ("gone", "same", "new"):
        store.apply(obj(name))
    events = store.replace([obj("same"), obj("new", 2), obj("more")])
    assert [(event.type, event.key) for event in events] == [
        (DELETED, "ns/gone"),
        (MODIFIED, "ns/new"),
        (ADDED, "ns/more"),
    ]


def test_a_snapshot_never_changes(store: Store) -> None:
    store.apply(obj("p"))
    store.apply(obj("q"))
    taken = store.snapshot()
    store.apply(obj("p", 2))
    store.remove(obj("q", 2))
    assert dict(taken) == {"ns/p": obj("p"), "ns/q": obj("q")}
    assert dict(store.snapshot()) == {"ns/p": obj("p", 2)}
    with pytest.raises(TypeError):
        taken["ns/q"] = obj("q")  # type: ignore[index]


def change(store: Store[Any]) -> None:
    store.snapshot()["ns/p"]["spec"]["nodeName"] = "b"


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(lambda store: store.apply(obj("q", 2)), id="another is applied"),
        pytest.param(lambda store: store.apply(obj("p", 2)), id="it is applied itself"),
        pytest.param(lambda store: store.remove(obj("p", 2)), id="it is removed"),
        pytest.param(lambda store: store.replace([]), id="all are replaced"),
        pytest.param(lambda store: store.statistics(), id="somebody asks for figures"),
    ],
)
def test_a_checked_store_finds_who_changed_an_object(then: Callable[[Store], object]) -> None:
    checked, unchecked = Store(checked=True), Store()
    for store in (checked, unchecked):
        store.apply(obj("q"))
        store.apply(obj("p"))
        change(store)
    then(unchecked)
    with pytest.raises(ObjectChanged, match="changed by a reader: ns/p;"):
        then(checked)


def test_a_checked_store_finds_changed_labels_of_a_struct() -> None:
    store: Store[Pod] = Store(checked=True)
    store.apply(Pod(metadata=ObjectMeta(name="p", labels={"a": "b"})))
    cast("dict[str, str]", store.values()[0].metadata.labels)["a"] = "c"
    with pytest.raises(ObjectChanged, match="changed by a reader: p;"):
        store.statistics()


def test_a_checked_store_is_content_with_who_copies() -> None:
    store = Store(checked=True)
    for version in (1, 2, 2):
        store.apply(obj("p", version))
        deepcopy(store.values()[0])["spec"]["nodeName"] = "b"
    store.replace([obj("p", 3), obj("q")])
    store.remove(obj("p", 4))
    assert store.statistics().objects == 1


def test_snapshots_cost_one_copy_a_change_at_most(store: Store) -> None:
    store.apply(obj("p"))
    assert store.snapshot() is store.snapshot()
    store.apply(obj("q"))
    store.apply(obj("r"))
    store.apply(obj("r"))
    assert store.statistics().copies == 1


def test_typed_objects() -> None:
    store: Store[Pod] = Store({"node": lambda pod: [pod.spec.node_name]})
    pods = [
        Pod(metadata=ObjectMeta(name="p", resource_version=str(n)), spec=PodSpec(node_name=f"n{n}")) for n in (1, 2)
    ]
    assert [event.type for pod in pods for event in store.apply(pod)] == [ADDED, MODIFIED]
    assert store.by_index("node", "n2") == [pods[1]]
    assert [(event.type, event.object) for event in store.replace([])] == [(DELETED, pods[1])]


def test_an_index_follows_its_objects(store: Store) -> None:
    store.apply(obj("p", 1, node="a"))
    store.apply(obj("q", 1, node="a"))
    store.apply(obj("p", 2, node="b"))
    assert (names(store.by_index("node", "a")), names(store.by_index("node", "b"))) == (["q"], ["p"])
    store.remove(obj("q", 2))
    assert store.by_index("node", "a") == []
    assert store.index_values("node") == ["b"]


def test_an_index_value_given_twice_counts_once() -> None:
    store = Store({"both": lambda _: ["x", "x"]})
    store.apply(obj("p"))
    assert names(store.by_index("both", "x")) == ["p"]


def test_an_unknown_index_names_those_there_are(store: Store) -> None:
    with pytest.raises(KeyError, match="'nodes': not declared; there are \\['node'\\]"):
        store.by_index("nodes", "a")


def test_statistics(store: Store) -> None:
    store.apply(obj("p", 1))
    store.apply(obj("p", 2))
    store.apply(obj("q", 1, node="b"))
    store.remove(obj("q", 2))
    found = store.statistics()
    assert (found.objects, found.added, found.modified, found.deleted) == (1, 2, 1, 1)
    assert (found.unchanged, found.copies, found.index_values) == (0, 0, {"node": 1})
