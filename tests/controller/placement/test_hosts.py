from controller.placement.demand import Resources
from controller.placement.hosts import Hosts
from controller.placement.packing.host import Host
from controller.placement.snapshot import Snapshot
from tests.builders.gpu import OURS, gpu
from tests.builders.node import node


def test_a_node_is_seen_as_its_free_partitions() -> None:
    busy = gpu(1, "QPX/NPS1", holders={0: OURS}, unhealthy={1})
    one = node("a", gpu(0, "SPX/NPS1"), busy, used=Resources(28_000, 0, 3))
    seen = Hosts().of(Snapshot([one]), one)
    assert seen.host == Host(100_000, 0, (250, 250, 1000), divisible=False)
    assert list(seen.free.values()) == [1, 3]


def test_a_node_is_looked_at_anew_once_something_is_tried_there_or_it_is_another() -> None:
    one, hosts = node("a", gpu(0, "DPX/NPS1")), Hosts()
    snapshot = Snapshot([one])
    before = hosts.of(snapshot, one)
    assert hosts.of(snapshot, one) is before
    undo = snapshot.hold(one, one.gpus[0].partitions[:1], "team-a/x", Resources(1_000, 0, 1))
    assert hosts.of(snapshot, one).host == Host(before.host.cpu_milli - 1_000, 0, (500,), divisible=False)
    undo()
    assert hosts.of(snapshot, one).host == before.host
    other = node("a", gpu(0, "SPX/NPS1"))
    assert hosts.of(Snapshot([other]), other).host.pieces == (1000,)
