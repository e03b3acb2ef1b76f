"""Whatever happens to a store, its events and indexes tell the same story as its objects."""

from hypothesis import given
from hypothesis import strategies as st

from controller.runtime.cache.store import Store
from controller.runtime.manifest import Manifest
from tests.controller.runtime.cache.following import follow


@st.composite
def objects(draw: st.DrawFn) -> Manifest:
    metadata = {
        "name": draw(st.sampled_from("abcd")),
        "uid": draw(st.sampled_from(["u1", "u2"])),
        "resourceVersion": str(draw(st.integers(1, 5))),
    }
    return {"metadata": metadata, "labels": draw(st.lists(st.sampled_from("xyz"), max_size=3))}


steps = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), objects()),
        st.tuples(st.just("remove"), objects()),
        st.tuples(st.just("replace"), st.lists(objects(), max_size=4, unique_by=lambda o: o["metadata"]["name"])),
    ),
    max_size=25,
)


@given(steps)
def test_a_handler_that_follows_the_events_holds_the_store(taken: list[tuple[str, object]]) -> None:
    store: Store[Manifest] = Store({"label": lambda obj: obj["labels"]})
    mirror: dict[str, Manifest] = {}
    snapshots = []
    for method, argument in taken:
        for event in getattr(store, method)(argument):
            follow(mirror, event)
        snapshots.append((store.snapshot(), dict(mirror)))
        assert mirror == {key: store.get(key) for key in store.keys()}  # noqa: SIM118 - a store is no mapping
        for value in "xyz":
            want = sorted(obj["metadata"]["name"] for obj in store.values() if value in obj["labels"])
            assert sorted(obj["metadata"]["name"] for obj in store.by_index("label", value)) == want
    assert all(dict(snapshot) == was for snapshot, was in snapshots)
