"""What a cycle leaves behind when it fails, or when nobody has taken what the one before decided."""

import pytest

from controller.placement.decision import Placed
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.controller.reconcilers.gpu_partition_claim.test_cycle import Cycle


def test_a_wish_that_nobody_took_ends_when_a_place_is_found() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.allow_changes()
    cycle.decide(demand("a", modes=["CPX/NPS1"]))
    assert cycle.cluster.plan_table.active_nodes() == ("worker-0",)
    cycle.fed.add_node("worker-1", gpu(0, "CPX/NPS1"))
    cycle.decide(retry=True)
    assert isinstance(cycle.take("a").decision, Placed)
    assert cycle.cluster.plan_table.active_nodes() == ()


def test_a_cycle_that_fails_keeps_its_new_demands(monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = Cycle("CPX/NPS4")
    with monkeypatch.context() as fault:
        fault.setattr(cycle.cycle, "scheduler", None)
        with pytest.raises(AttributeError):
            cycle.decide(demand("a"), demand("b"))
    assert cycle.cycle.waiting == 2
    cycle.decide()
    for name in ("a", "b"):
        assert isinstance(cycle.take(name).decision, Placed)
