import pytest

from controller.placement.packing.host import Ask
from controller.placement.packing.workload import Workload

SMALL, LARGE, NONE = Ask(1000, 0, 1, 250), Ask(8000, 0, 2, 1000), Ask(4000)


def test_kinds_come_by_how_common_they_are_whatever_their_memory() -> None:
    workload = Workload.counted([LARGE, SMALL, Ask(1000, 4096, 1, 250), NONE, SMALL])
    assert [(kind.ask, kind.share) for kind in workload.kinds] == [(SMALL, 0.6), (LARGE, 0.2), (NONE, 0.2)]


def test_typical_kinds_reach_the_published_share_and_add_up_to_one() -> None:
    rare = [Ask(cpu, 0, 1, 100) for cpu in range(4)]
    workload = Workload.counted([SMALL] * 96 + rare)
    assert [kind.ask for kind in workload.typical.kinds] == [SMALL]
    assert workload.typical.kinds[0].share == 1.0
    assert len(Workload.counted([SMALL] * 60 + rare).typical.kinds) == 2


def test_shares_of_gpu_leave_out_pods_without_any() -> None:
    workload = Workload.counted([SMALL] * 8 + [LARGE] + [NONE] * 3)
    assert [(kind.ask, kind.share) for kind in workload.on_gpus] == [(SMALL, 0.5), (LARGE, 0.5)]


def test_weights_need_not_be_whole() -> None:
    assert [kind.share for kind in Workload.weighted([(SMALL, 0.75), (LARGE, 0.25)]).kinds] == [0.75, 0.25]


def test_nothing_expected_is_refused() -> None:
    with pytest.raises(ValueError, match="give at least one"):
        Workload.counted([])
