import pytest

from controller.placement.demand import Resources
from controller.placement.snapshot import Holder, PolicyView, Snapshot
from tests.builders.gpu import FOREIGN, OURS, busy, gpu
from tests.builders.node import node

POD = Resources(500, 1 << 30, 1)
HOST = node("worker-0", gpu(0), gpu(1))
FIRST, SECOND = HOST.gpus[0].partitions[:2]


def test_hold_takes_the_partition_and_the_nodes_resources() -> None:
    snapshot = Snapshot([HOST])
    snapshot.hold(HOST, [FIRST], "team-a/aim-a", POD)
    holder = snapshot.holder(HOST, FIRST)
    assert holder is not None
    assert (holder.kind, holder.name, snapshot.used(HOST)) == ("ours", "team-a/aim-a", POD)
    assert [snapshot.idle(HOST, each) for each in HOST.gpus] == [False, True]


def test_undo_leaves_the_snapshot_as_it_was() -> None:
    snapshot = Snapshot([HOST])
    keep = snapshot.hold(HOST, [FIRST], "team-a/aim-a", POD)
    undo = snapshot.hold(HOST, [SECOND], "team-a/aim-b", Resources(1, 2, 1))
    undo()
    assert (snapshot.holder(HOST, SECOND), snapshot.used(HOST)) == (None, POD)
    keep()
    assert (snapshot.holder(HOST, FIRST), snapshot.used(HOST)) == (None, Resources())
    assert snapshot.idle(HOST, HOST.gpus[0])


def test_undone_places_can_be_held_again() -> None:
    snapshot = Snapshot([HOST])
    snapshot.hold(HOST, [FIRST], "team-a/aim-a", POD)()
    snapshot.hold(HOST, [FIRST], "team-a/aim-b", POD)
    assert snapshot.used(HOST) == POD


def test_two_trials_on_one_partition_stop_loudly_and_name_both() -> None:
    snapshot = Snapshot([HOST])
    snapshot.hold(HOST, [FIRST], "team-a/aim-a", POD)
    with pytest.raises(RuntimeError, match=r"held by team-a/aim-a; cannot hold it for team-a/aim-b"):
        snapshot.hold(HOST, [FIRST], "team-a/aim-b", POD)
    assert snapshot.used(HOST) == POD


@pytest.mark.parametrize("holder", [OURS, FOREIGN], ids=["held by a claim", "held by somebody else"])
def test_what_is_held_in_the_cluster_cannot_be_held(holder: object) -> None:
    host = node("worker-0", busy(holder=OURS if holder is OURS else FOREIGN))
    with pytest.raises(RuntimeError, match="cannot hold it"):
        Snapshot([host]).hold(host, host.gpus[0].partitions[:1], "team-a/aim-a", POD)


def test_several_partitions_are_held_together_or_none_of_them() -> None:
    snapshot = Snapshot([HOST])
    snapshot.hold(HOST, [SECOND], "team-a/aim-a", POD)
    with pytest.raises(RuntimeError, match="cannot hold it for team-a/aim-b"):
        snapshot.hold(HOST, [FIRST, SECOND], "team-a/aim-b", POD)
    assert (snapshot.holder(HOST, FIRST), snapshot.used(HOST)) == (None, POD)
    undo = snapshot.hold(HOST, HOST.gpus[1].partitions[:3], "team-a/aim-b", POD)
    assert sum(snapshot.holder(HOST, each) is None for each in HOST.gpus[1].partitions) == 5
    undo()
    assert snapshot.idle(HOST, HOST.gpus[1])


def test_without_a_claim_its_partitions_and_its_pods_resources_are_free() -> None:
    ours = Holder("ours", "team-a/aim-a", POD)
    host = node("worker-0", gpu(0, holders={0: ours, 1: ours, 2: FOREIGN}), used=Resources(700, 3 << 30, 2))
    snapshot, parts = Snapshot([host, node("worker-1", gpu(0, holders={0: OURS}))]), host.gpus[0].partitions
    snapshot.hold(host, parts[3:4], "team-a/aim-b", POD)
    with snapshot.without(["team-a/aim-a", "team-a/aim-b", FOREIGN.name]):
        assert [snapshot.holder(host, each) is None for each in parts[:4]] == [True, True, False, True]
        assert snapshot.used(host) == Resources(200, 2 << 30, 1)
    assert [snapshot.holder(host, each) is None for each in parts[:4]] == [False] * 4
    assert snapshot.used(host) == Resources(1200, 4 << 30, 3)


def test_what_is_tried_without_a_claim_ends_with_the_block() -> None:
    ours = Holder("ours", "team-a/aim-a", POD)
    host = node("worker-0", gpu(0, holders={0: ours}), used=POD)
    snapshot = Snapshot([host])
    with snapshot.without(["team-a/aim-a"]):
        snapshot.hold(host, host.gpus[0].partitions[:2], "team-a/aim-a", POD)
        assert snapshot.used(host) == POD
        with pytest.raises(RuntimeError, match="held by team-a/aim-a"):
            snapshot.hold(host, host.gpus[0].partitions[:1], "team-a/aim-b", POD)
    assert snapshot.holder(host, host.gpus[0].partitions[0]) == ours
    assert snapshot.holder(host, host.gpus[0].partitions[1]) is None


def test_the_same_index_on_another_node_is_another_partition() -> None:
    twin = node("worker-1", gpu(0), gpu(1))
    snapshot = Snapshot([HOST, twin])
    snapshot.hold(HOST, [FIRST], "team-a/aim-a", POD)
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
