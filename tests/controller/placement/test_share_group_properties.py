"""Founding by halving finds as many first members as trying every number does."""

from hypothesis import given
from hypothesis import strategies as st

from controller.placement.decision import Placed
from controller.placement.demand import GroupMember, Shared
from controller.placement.scheduler import ModelScheduler
from controller.placement.share_group import of_first
from controller.placement.snapshot import Snapshot
from tests.builders.demand import constrained, demand
from tests.builders.gpu import GIB, OURS, gpu
from tests.builders.node import node

SIZES = st.lists(st.integers(1, 120), min_size=1, max_size=9)
MODES = st.lists(st.sampled_from(["SPX/NPS1", "DPX/NPS1", "QPX/NPS4", "CPX/NPS4"]), min_size=1, max_size=3)


@given(SIZES, MODES, st.sets(st.integers(0, 7)))
def test_as_many_of_the_first_members_as_fit_anywhere_found_the_group(
    sizes: list[int], modes: list[str], held: set[int]
) -> None:
    snapshot = Snapshot(
        [node("worker-0", *(gpu(n, mode, holders=dict.fromkeys(held, OURS)) for n, mode in enumerate(modes)))]
    )
    members = tuple(GroupMember(size * GIB, pod=constrained()) for size in sizes)
    asked = demand("team-a/aim-group-x", sum(sizes), shared=Shared("chat", members))
    alone = [ModelScheduler()._alone(snapshot, of_first(asked, count)) for count in range(1, len(sizes) + 1)]
    most = max((count for count, each in enumerate(alone, 1) if isinstance(each, Placed)), default=0)
    decision = ModelScheduler().schedule(snapshot, asked)
    assert decision == (alone[most - 1] if most else alone[0])
