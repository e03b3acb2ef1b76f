import pytest

from controller.placement.demand import Resources
from controller.placement.snapshot import PolicyView, Snapshot
from tests.builders.gpu import FOREIGN, OURS, busy, gpu
from tests.builders.node import node

POD = Resources(500, 1 << 30, 1)
HOST = node("worker-0", gpu(0), gpu(1))
FIRST, SECOND = HOST.gpus[0].partitions[:2]


def test_hold_takes_the_partition_and_the_nodes_resources() -> None:
    snapshot = Snapshot([HOST])
    snapshot.hold(HOST, FIRST, "team-a/aim-a", POD)
    holder = snapshot.holder(HOST, FIRST)
    assert holder is not None
    assert (holder.kind, holder.name, snapshot.used(HOST)) == ("ours", "team-a/aim-a", POD)
    assert [snapshot.idle(HOST, each) for each in HOST.gpus] == [False, True]


def test_undo_leaves_the_snapshot_as_it_was() -> None:
    snapshot = Snapshot([HOST])
    keep = snapshot.hold(HOST, FIRST, "team-a/aim-a", POD)
    undo = snapshot.hold(HOST, SECOND, "team-a/aim-b", Resources(1, 2, 1))
    undo()
    assert (snapshot.holder(HOST, SECOND), snapshot.used(HOST)) == (None, POD)
    keep()
    assert (snapshot.holder(HOST, FIRST), snapshot.used(HOST)) == (None, Resources())
    assert snapshot.idle(HOST, HOST.gpus[0])


def test_undone_places_can_be_held_again() -> None:
    snapshot = Snapshot([HOST])
    snapshot.hold(HOST, FIRST, "team-a/aim-a", POD)()
    snapshot.hold(HOST, FIRST, "team-a/aim-b", POD)
    assert snapshot.used(HOST) == POD


def test_two_trials_on_one_partition_stop_loudly_and_name_both() -> None:
    snapshot = Snapshot([HOST])
    snapshot.hold(HOST, FIRST, "team-a/aim-a", POD)
    with pytest.raises(RuntimeError, match=r"held by team-a/aim-a; cannot hold it for team-a/aim-b"):
        snapshot.hold(HOST, FIRST, "team-a/aim-b", POD)
    assert snapshot.used(HOST) == POD


@pytest.mark.parametrize("holder", [OURS, FOREIGN], ids=["held by a claim", "held by somebody else"])
def test_what_is_held_in_the_cluster_cannot_be_held(holder: object) -> None:
    host = node("worker-0", busy(holder=OURS if holder is OURS else FOREIGN))
    with pytest.raises(RuntimeError, match="cannot hold it"):
        Snapshot([host]).hold(host, host.gpus[0].partitions[0], "team-a/aim-a", POD)


def test_the_same_index_on_another_node_is_another_partition() -> None:
    twin = node("worker-1", gpu(0), gpu(1))
    snapshot = Snapshot([HOST, twin])
    snapshot.hold(HOST, FIRST, "team-a/aim-a", POD)
    assert snapshot.holder(twin, twin.gpus[0].partitions[0]) is None
    assert snapshot.used(twin) == Resources()


def test_nodes_and_partitions_come_in_one_order() -> None:
    snapshot = Snapshot([node("b"), node("a")])
    assert [each.name for each in snapshot.nodes] == ["a", "b"]
    assert len(list(snapshot.partitions())) == 16
    assert (snapshot.node("c"), getattr(snapshot.node("a"), "name", None)) == (None, "a")


@pytest.mark.parametrize(
    ("namespaces", "want"),
    [
        pytest.param(None, True, id="None is everybody"),
        pytest.param(frozenset({"team-a"}), True, id="listed"),
        pytest.param(frozenset(), False, id="an empty set is nobody"),
    ],
)
def test_a_policy_admits_namespaces(namespaces: frozenset[str] | None, want: bool) -> None:
    assert PolicyView("p", namespaces=namespaces).admits("team-a") is want
