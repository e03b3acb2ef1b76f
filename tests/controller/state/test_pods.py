from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from controller.placement.demand import Resources
from controller.runtime.cache.store import Store, StoreEvent
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.state.pods import PodTable, claim_index
from controller.translate.pod import requests
from tests.builders.pod import container, pod, typed_pod


class Told:
    """A table that follows a store, as it follows an informer's."""

    def __init__(self) -> None:
        self.table = PodTable()
        self._store: Store[Pod] = Store()

    def put(self, made: Pod) -> None:
        self._tell(self._store.apply(made))

    def drop(self, made: Pod) -> None:
        self._tell(self._store.remove(made))

    def _tell(self, events: list[StoreEvent[Pod]]) -> None:
        for event in events:
            self.table.take(event)


def sized(cpu: str = "1", memory: str = "1Gi") -> dict[str, Any]:
    return container(requests={"cpu": cpu, "memory": memory})


ONE = Resources(1000, 1 << 30, 1)


def test_a_pod_counts_while_it_is_on_a_node_and_not_over() -> None:
    told = Told()
    told.put(typed_pod("a", sized(), version="1"))
    assert told.table.used("worker-0") == Resources()
    told.put(typed_pod("a", sized(), node="worker-0", phase="Running", version="2"))
    assert told.table.used("worker-0") == ONE
    told.put(typed_pod("a", sized(), node="worker-0", phase="Succeeded", version="3"))
    assert told.table.used("worker-0") == Resources()
    told.drop(typed_pod("a", sized(), node="worker-0", phase="Succeeded", version="3"))
    assert told.table.used("worker-0") == Resources()


def test_a_deleted_pod_gives_everything_back() -> None:
    told = Told()
    for name in "ab":
        told.put(typed_pod(name, sized(), node="worker-0"))
    told.drop(typed_pod("a"))
    assert told.table.used("worker-0") == ONE
    assert told.table.view("team-a/a") is None
    assert told.table.resources("team-a/a") is None


def test_a_resize_is_followed() -> None:
    told = Told()
    told.put(typed_pod("a", sized("1"), node="worker-0", version="1"))
    told.put(typed_pod("a", sized("3"), node="worker-0", version="2"))
    assert told.table.used("worker-0").cpu_milli == 3000


GPU = {"amd.com/gpu": "1"}


@pytest.mark.parametrize(
    ("made", "want"),
    [
        pytest.param(typed_pod("a", container(limits=GPU), node="worker-0"), 1, id="a running pod with amd.com/gpu"),
        pytest.param(typed_pod("a", container(limits={"amd.com/cpx_nps4": "1"}), node="worker-0"), 1, id="by any name"),
        pytest.param(typed_pod("a", container(limits=GPU)), 0, id="not placed yet"),
        pytest.param(typed_pod("a", container(limits=GPU), node="worker-0", phase="Failed"), 0, id="over"),
        pytest.param(typed_pod("a", container(limits={"cpu": "1"}), node="worker-0"), 0, id="other resources"),
        pytest.param(
            typed_pod("a", initContainers=[container("i", limits=GPU)], node="worker-0"), 1, id="in an init container"
        ),
    ],
)
def test_which_pods_hold_devices_past_us(made: Pod, want: int) -> None:
    told = Told()
    told.put(made)
    assert told.table.plugin_pods("worker-0") == want
    told.drop(made)
    assert told.table.plugin_pods("worker-0") == 0


changes = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([None, "worker-0", "worker-1"]),
        st.sampled_from(["Running", "Failed", "gone"]),
        st.integers(0, 4),
    ),
    max_size=20,
)


@given(changes)
def test_sums_equal_a_recount_after_any_history(history: list[tuple[str, str | None, str, int]]) -> None:
    told = Told()
    live: dict[str, Pod] = {}
    for version, (name, node, phase, cpu) in enumerate(history):
        made = typed_pod(name, sized(str(cpu)), node=node, phase=phase, version=str(version))
        if phase == "gone":
            told.drop(made)
            live.pop(name, None)
        else:
            told.put(made)
            live[name] = made
    for node in ("worker-0", "worker-1"):
        counted = [p for p in live.values() if p.spec.node_name == node and p.status.phase == "Running"]
        want = Resources()
        for made in counted:
            want = want.plus(requests(made.spec))
        assert told.table.used(node) == want


def test_a_pod_is_found_by_its_claim() -> None:
    assert list(claim_index(typed_pod(claim="aim-x"))) == ["team-a/aim-x"]
    assert list(claim_index(typed_pod(claim=None))) == []


def test_decoding_keeps_what_the_flow_reads_and_nothing_else() -> None:
    made = pod("a", container(requests={"cpu": "1"}, env=[{"name": "A"}], command=["x"]), volumes=[{"name": "v"}])
    made["metadata"]["managedFields"] = [{}]
    made["status"]["containerStatuses"] = [{}]
    kept = typed(made, Pod)
    assert set(to_builtins(kept)["spec"]) == {"containers", "resourceClaims", "schedulingGates"}
    assert to_builtins(kept.spec.containers) == ({"name": "main", "resources": {"requests": {"cpu": "1"}}},)
    assert to_builtins(kept.status) == {"phase": "Pending"}
    assert requests(kept.spec).cpu_milli == 1000
    assert list(claim_index(kept)) == ["team-a/aim-a"]


def test_pods_on_their_way_out_of_a_node_are_known() -> None:
    told = Told()
    told.put(typed_pod("stays", node="worker-0"))
    told.put(typed_pod("goes", node="worker-0", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))
    assert told.table.deleting_on("worker-0") == {"uid-goes"}
    assert told.table.deleting_on("worker-1") == frozenset()
