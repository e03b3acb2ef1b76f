import pytest

from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.exclusions import Exclusions
from tests.builders.gpu import FOREIGN, OURS, full, gpu
from tests.builders.node import node

THEN = Snapshot([node("worker-0", full(0)), node("worker-1")])


@pytest.mark.parametrize(
    ("now", "want"),
    [
        pytest.param(THEN, {"worker-0"}, id="while nothing changed"),
        pytest.param(
            Snapshot([node("worker-0", full(0, holder=FOREIGN))]), {"worker-0"}, id="another holder is no room"
        ),
        pytest.param(Snapshot([node("worker-0", gpu(0, holders={1: OURS}))]), set(), id="a partition became free"),
        pytest.param(Snapshot([node("worker-0", full(0, "DPX/NPS1"))]), set(), id="another mode"),
        pytest.param(Snapshot([node("worker-1")]), set(), id="the node is gone"),
    ],
)
def test_a_node_is_left_out_until_something_there_changes(now: Snapshot, want: set[str]) -> None:
    exclusions = Exclusions()
    exclusions.exclude("owner-1", "worker-0", THEN)
    assert exclusions.excluded("owner-1", lambda: now) == want
    assert exclusions.excluded("owner-1", lambda: THEN) == want, "once forgotten it stays forgotten"


def test_owners_do_not_share_exclusions_and_no_snapshot_is_taken_in_vain() -> None:
    def never() -> Snapshot:
        raise AssertionError("a snapshot is dear")

    exclusions = Exclusions()
    exclusions.exclude("owner-1", "worker-0", THEN)
    assert exclusions.excluded("owner-2", never) == frozenset()


def test_a_node_that_is_not_there_is_not_remembered() -> None:
    exclusions = Exclusions()
    exclusions.exclude("owner-1", "worker-9", THEN)
    assert exclusions.excluded("owner-1", lambda: THEN) == frozenset()
