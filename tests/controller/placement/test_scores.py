import pytest

from controller.placement.decision import Placed
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Reservation, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import OURS, bdf, gpu, with_partition
from tests.builders.node import node


def choice(gib: float, *nodes: Node, owner: str = "", template_hash: str = "") -> tuple[str, str, int]:
    wanted = demand(gib=gib, owner=owner, template_hash=template_hash)
    decision = ModelScheduler().schedule(Snapshot(nodes), wanted)
    assert isinstance(decision, Placed), decision
    return decision.node.name, decision.partition.id.bdf, decision.partition.id.index


WHOLE, HALVES, EIGHTHS = gpu(0, "SPX/NPS1"), gpu(1, "DPX/NPS1"), gpu(2, "CPX/NPS1")


@pytest.mark.parametrize(
    ("gib", "want"),
    [
        pytest.param(16, bdf(2), id="a small model takes an eighth"),
        pytest.param(30, bdf(1), id="a larger one a half"),
        pytest.param(100, bdf(0), id="a large one the whole GPU"),
    ],
)
def test_the_smallest_partition_that_fits_wins(gib: float, want: str) -> None:
    assert choice(gib, node("worker-0", WHOLE, HALVES, EIGHTHS))[1] == want


def test_of_equal_partitions_the_fullest_gpu_wins() -> None:
    crowded = node("worker-0", gpu(0), gpu(1, holders={0: OURS, 1: OURS, 2: OURS}), gpu(2, holders={0: OURS}))
    assert choice(16, crowded) == ("worker-0", bdf(1), 3)


def test_the_fullest_gpu_wins_across_nodes() -> None:
    assert choice(16, node("worker-0"), node("worker-1", gpu(0, holders={7: OURS}))) == ("worker-1", bdf(0), 0)


def test_last_ties_go_by_node_gpu_and_index() -> None:
    first = choice(16, node("worker-1"), node("worker-0", gpu(1), gpu(0)))
    assert first == ("worker-0", bdf(0), 0)


def test_a_tighter_fit_beats_a_fuller_gpu() -> None:
    nodes = node("worker-0", gpu(0, "DPX/NPS1", holders={0: OURS}), gpu(1, "QPX/NPS1"))
    assert choice(40, nodes)[1] == bdf(1)


def test_a_successor_prefers_the_place_kept_for_it_over_a_tighter_one() -> None:
    kept = with_partition(gpu(0, "SPX/NPS1"), 0, reservation=Reservation("rs-1", "7f"))
    nodes = node("worker-0", kept), node("worker-1", gpu(0))
    assert choice(16, *nodes, owner="rs-1", template_hash="7f") == ("worker-0", bdf(0), 0)
    assert choice(16, *nodes, owner="rs-2", template_hash="7f") == ("worker-1", bdf(0), 0)
