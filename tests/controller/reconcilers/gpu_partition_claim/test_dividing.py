"""A claim that could be placed waits for an idle GPU to be divided: for which change, how long, and past whom."""

from typing import Any

import pytest

from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu
from controller.reconcilers.gpu_partition_claim.cycle import Outcome, PlacementCycle
from controller.reconcilers.scheduler_counts import SchedulerCounts, Timed
from controller.repartition.division import DIVIDING, PATIENCE_SECONDS
from tests.builders.cluster import FedCluster
from tests.builders.demand import demand
from tests.builders.gpu import bdf, gpu
from tests.builders.plan import plan
from tests.builders.policy import policy_object


class Scene:
    """Nodes of idle whole GPUs whose modes change by themselves."""

    def __init__(self, *gpus: int, **rules: Any) -> None:
        self.fed = FedCluster()
        self.cluster = self.fed.cluster
        self.counts = SchedulerCounts()
        self.cycle = PlacementCycle(self.cluster, ModelScheduler(), self.fed.clock, lambda _: None, self.counts)
        for number, count in enumerate(gpus):
            self.fed.add_node(f"worker-{number}", *(gpu(n, "SPX/NPS1") for n in range(count)))
        repartition = {"enabled": True, "approval": "Auto", "cooldown": "0s"} | rules
        self.fed.put(self.cluster.policies, policy_object(repartition=repartition, validatedOnly=False))

    def decide(self, *demands: Demand) -> None:
        for each in demands:
            self.cycle.submit(each)
        self.cycle.decide(retry=True)

    def outcome(self, name: str) -> Outcome:
        found = self.cycle.take(f"team-a/{name}")
        assert found is not None, f"nothing was decided for {name}"
        return found

    def reason(self, name: str) -> str:
        decision = self.outcome(name).decision
        return decision.reason if isinstance(decision, Unplaced) else str(decision.mode)

    def put_plan(self, name: str, node: str, *, mode: str = "CPX/NPS1", number: int = 0, **fields: Any) -> None:
        made = plan(name, node, numbers=(number,), **fields)
        for side, each in (("from", "SPX/NPS1"), ("to", mode)):
            made["spec"][side]["gpus"][0]["mode"] = each
        self.fed.put(self.cluster.plans, made)

    def put_node(self, name: str, *gpus: Gpu) -> None:
        self.fed.add_node(name, *gpus)

    def tick(self, seconds: float) -> None:
        self.fed.clock.tick(seconds)
        for node in self.cluster.snapshot().nodes:
            self.fed.beat(node.name)


def small(name: str = "a", **fields: Any) -> Demand:
    return demand(name, 20, **fields)


def test_a_small_model_asks_for_a_change_although_a_whole_gpu_is_free() -> None:
    scene = Scene(2)
    scene.decide(small())
    found = scene.outcome("a")
    assert isinstance(found.decision, Unplaced)
    assert found.plan is not None
    assert (found.decision.reason, found.plan.spec.to.gpus[0].mode) == (DIVIDING, "CPX/NPS1")
    assert "168.0 GiB more than in partitions of 24.0 GiB would be wasted" in found.decision.message
    assert "waits until 00:05:00 UTC at most" in found.decision.message
    assert sum(dict(scene.counts.seconds.rows())[Timed.LAYOUTS.value,].counts) == 1


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"divide": "WhenFull"}, id="the policy wants models placed first"),
        pytest.param({"approval": "Manual"}, id="a person would have to approve"),
        pytest.param({"enabled": False}, id="no mode is changed"),
    ],
)
def test_without_a_policy_that_divides_first_it_is_placed_at_once(rules: dict[str, Any]) -> None:
    scene = Scene(2, **rules)
    scene.decide(small())
    assert scene.reason("a") == "SPX/NPS1"


def test_a_large_model_takes_its_gpu_at_once_and_the_small_one_another() -> None:
    scene = Scene(2)
    scene.decide(small(), demand("big", 150, created_seconds=9.0))
    assert (scene.reason("a"), scene.reason("big")) == (DIVIDING, "SPX/NPS1")


def test_those_whom_the_same_change_serves_ask_for_none_of_their_own() -> None:
    scene = Scene(4)
    scene.decide(*(small(f"s{n}", created_seconds=float(n)) for n in range(8)))
    found = [scene.outcome(f"s{n}") for n in range(8)]
    assert [each.plan is not None for each in found] == [True, *[False] * 7]
    assert {each.decision.reason for each in found if isinstance(each.decision, Unplaced)} == {DIVIDING}
    assert scene.cycle.waiting == 8


def test_a_later_one_waits_for_the_plan_that_will_serve_it() -> None:
    scene = Scene(2)
    scene.decide(small())
    made = scene.outcome("a").plan
    assert made is not None
    scene.decide(small("b"))
    found = scene.outcome("b")
    assert (found.plan, found.no_plan and found.no_plan.reason) == (None, "RepartitionRunning")
    assert isinstance(found.decision, Unplaced)
    assert f"plan {made.metadata.name} makes its place" in found.decision.message


def test_once_the_gpu_is_divided_it_gets_its_part() -> None:
    scene = Scene(1)
    scene.decide(small())
    made = scene.outcome("a").plan
    assert made is not None
    scene.put_plan(made.metadata.name, "worker-0", phase="Succeeded", claim_uid="uid-team-a/a")
    scene.put_node("worker-0", gpu(0, "CPX/NPS1"))
    scene.decide()
    assert scene.reason("a") == "CPX/NPS1"


def test_when_its_time_is_up_it_is_placed_as_things_are() -> None:
    scene = Scene(2)
    scene.put_plan("other", "worker-9", phase="Applying")
    scene.decide(small())
    assert scene.outcome("a").no_plan is not None
    scene.tick(PATIENCE_SECONDS - 1)
    scene.decide()
    assert scene.reason("a") == DIVIDING
    scene.tick(1)
    scene.decide()
    assert scene.reason("a") == "SPX/NPS1"


@pytest.mark.parametrize("phase", ["Failed", "RolledBack"])
def test_after_a_plan_that_did_not_help_it_waits_no_more(phase: str) -> None:
    scene = Scene(2)
    scene.put_plan("tried", "worker-0", phase=phase, claim_uid="uid-team-a/a", applied_until="2025-12-31T23:00:00Z")
    scene.decide(small())
    assert scene.reason("a") == "SPX/NPS1"


def test_a_node_that_changed_lately_is_not_waited_for() -> None:
    scene = Scene(2, cooldown="10m")
    scene.put_plan("before", "worker-0", number=1, phase="Succeeded", applied_until="2025-12-31T23:59:00Z")
    scene.decide(small())
    assert scene.reason("a") == "SPX/NPS1"


def test_while_another_node_changes_it_waits_and_nobody_who_comes_later_takes_its_gpu() -> None:
    scene = Scene(1)
    scene.put_plan("other", "worker-9", phase="Applying")
    scene.decide(small())
    found = scene.outcome("a")
    assert (found.plan, found.no_plan and found.no_plan.reason) == (None, "RepartitionBudget")
    scene.decide(demand("big", 150, created_seconds=9.0))
    assert scene.reason("big") == "NoFreePartition"


def test_whoever_comes_first_by_priority_takes_the_gpu_that_another_waits_for() -> None:
    scene = Scene(1)
    scene.put_plan("other", "worker-9", phase="Applying")
    scene.decide(small())
    scene.decide(demand("urgent", 150, priority=9))
    assert scene.reason("urgent") == "SPX/NPS1"


def test_several_small_models_that_wait_for_their_turn_leave_a_gpu_to_a_large_one() -> None:
    scene = Scene(2)
    scene.put_plan("other", "worker-9", phase="Applying")
    scene.decide(small("a"), small("b", created_seconds=1.0))
    scene.decide(demand("big", 150, created_seconds=9.0))
    assert [scene.reason(name) for name in ("a", "b", "big")] == [DIVIDING, DIVIDING, "SPX/NPS1"]


def test_it_has_a_place_so_nobody_hands_one_over_to_it() -> None:
    scene = Scene(2)
    scene.decide(small())
    assert scene.cycle.unplaced("team-a/a") is None
    assert scene.cycle.waiting_keys == ("team-a/a",)


def test_time_spent_without_any_place_is_not_counted() -> None:
    scene = Scene(1)
    scene.put_plan("other", "worker-9", phase="Applying")
    scene.decide(small())
    scene.tick(PATIENCE_SECONDS - 1)
    scene.decide(demand("urgent", 150, priority=9))
    assert isinstance(scene.outcome("urgent").decision, Placed)
    scene.decide()
    assert scene.reason("a") == "NoFreePartition"
    scene.tick(60)
    scene.cycle.withdraw("team-a/urgent")
    scene.decide()
    assert scene.reason("a") == DIVIDING


def test_a_claim_that_is_gone_is_not_waited_for() -> None:
    scene = Scene(1)
    scene.put_plan("other", "worker-9", phase="Applying")
    scene.decide(small())
    scene.cycle.withdraw("team-a/a")
    scene.decide(demand("big", 150, created_seconds=9.0))
    assert scene.reason("big") == "SPX/NPS1"


def test_a_gpu_comes_together_again_for_a_large_model_and_is_not_divided_again_while_the_node_rests() -> None:
    scene = Scene(1, cooldown="10m")
    scene.put_plan("joined", "worker-0", mode="SPX/NPS1", phase="Succeeded", applied_until="2025-12-31T23:55:00Z")
    scene.decide(small())
    assert scene.reason("a") == "SPX/NPS1"
    assert scene.cluster.snapshot().nodes[0].gpus[0].bdf == bdf(0)
