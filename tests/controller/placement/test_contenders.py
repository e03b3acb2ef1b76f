from controller.placement.candidates import best_on
from controller.placement.contenders import contenders
from controller.placement.demand import Demand
from controller.placement.scores import Score, best_fit
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import full, gpu
from tests.builders.node import node


def largest_first(_: Snapshot, asked: Demand, host: Node, card: Gpu, part: Partition) -> Score:
    return 0, -part.bytes, 0, host.name, card.bdf, part.id.index


HOSTS = (node("worker-0", gpu(0, "SPX/NPS1")), node("worker-1", gpu(0, "DPX/NPS1")), node("worker-2", full()))


def test_the_nodes_that_have_a_place_stand_in_the_scorers_order() -> None:
    found = contenders(Snapshot(HOSTS), demand(), best_fit)
    assert [each.choice.placed.node.name for each in found] == ["worker-1", "worker-0"]


def test_each_scorer_says_where_it_would_rank_the_node() -> None:
    found = contenders(Snapshot(HOSTS), demand(), best_fit, {"best_fit": best_fit, "largest": largest_first})
    assert [dict(each.places) for each in found] == [{"best_fit": 1, "largest": 2}, {"best_fit": 2, "largest": 1}]


def test_the_first_is_what_the_scheduler_takes() -> None:
    snapshot = Snapshot(HOSTS)
    first = contenders(snapshot, demand(), best_fit)[0].choice
    assert first == best_on(snapshot, demand(), HOSTS[1], best_fit)
