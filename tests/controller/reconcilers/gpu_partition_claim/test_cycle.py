import asyncio
from collections.abc import Sequence

import pytest

from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand, Resources
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.cycle import REFRESH_SECONDS, Outcome, PlacementCycle
from controller.reconcilers.gpu_partition_claim.wakeups import Change
from controller.reconcilers.scheduler_counts import SchedulerCounts, Timed
from controller.repartition.disruption_budget import Refused
from tests.builders.claim import allocation, bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.demand import constrained, demand
from tests.builders.gpu import bdf, gpu
from tests.builders.plan import plan
from tests.builders.policy import policy_object
from tests.fakes.clock import FakeClock, LoopClock


class Cycle:
    """A PlacementCycle on a fed cluster; `woken` lists the keys it enqueued, in order."""

    def __init__(self, *modes: str, clock: FakeClock | None = None) -> None:
        self.fed = FedCluster(clock)
        self.cluster = self.fed.cluster
        self.woken: list[str] = []
        self.counts = SchedulerCounts()
        self.cycle = PlacementCycle(self.cluster, ModelScheduler(), self.fed.clock, self.woken.append, self.counts)
        self.fed.add_node("worker-0", *(gpu(n, mode) for n, mode in enumerate(modes)))

    def decide(self, *demands: Demand, retry: bool = False) -> None:
        for each in demands:
            self.cycle.submit(each)
        self.cycle.decide(retry=retry)

    def take(self, name: str) -> Outcome:
        outcome = self.cycle.take(f"team-a/{name}")
        assert outcome is not None, f"nothing was decided for {name}"
        return outcome

    def allow_changes(self, **rules: object) -> None:
        repartition = {"enabled": True, "approval": "Auto"} | rules
        self.fed.put(self.cluster.policies, policy_object(repartition=repartition, validatedOnly=False))

    def times(self, what: Timed) -> int:
        """How often that was timed."""
        return sum(dict(self.counts.seconds.rows())[what.value,].counts)


def keys(names: Sequence[str]) -> list[str]:
    return [f"team-a/{name}" for name in names]


def test_decisions_come_in_order_of_priority_and_age() -> None:
    cycle = Cycle("CPX/NPS4")
    cycle.decide(
        demand("old", created_seconds=1.0),
        demand("urgent", priority=9, created_seconds=5.0),
        demand("new", created_seconds=3.0),
    )
    assert cycle.woken == keys(["urgent", "old", "new"])
    assert (cycle.times(Timed.CYCLE), cycle.times(Timed.LAYOUTS)) == (1, 0)


def test_the_first_in_order_get_what_there_is() -> None:
    cycle = Cycle("DPX/NPS1")
    cycle.decide(*(demand(f"d{n}", 60, created_seconds=-float(n)) for n in range(4)))
    kinds = {name: type(cycle.take(name).decision) for name in ("d0", "d1", "d2", "d3")}
    assert kinds == {"d0": Unplaced, "d1": Unplaced, "d2": Placed, "d3": Placed}
    assert cycle.cycle.waiting == 2


def test_what_was_decided_counts_before_anybody_has_seen_it() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.decide(demand("first", 100))
    cycle.decide(demand("second", 100))
    assert isinstance(cycle.take("first").decision, Placed)
    assert isinstance(cycle.take("second").decision, Unplaced)


def test_cpu_of_what_was_decided_counts_too() -> None:
    cycle = Cycle("CPX/NPS4")
    half = constrained(Resources(80_000, 0, 1))
    cycle.decide(demand("first", pod=half))
    cycle.decide(demand("second", pod=half))
    second = cycle.take("second").decision
    assert isinstance(second, Unplaced)
    assert [row.reason for row in second.refusals] == ["NodeResourcesShort"]


def test_an_outcome_is_taken_once_and_can_be_given_back() -> None:
    cycle = Cycle("CPX/NPS4")
    cycle.decide(demand("a"))
    outcome = cycle.take("a")
    assert cycle.cycle.take("team-a/a") is None
    cycle.cycle.restore("team-a/a", outcome)
    assert cycle.take("a") is outcome


def test_a_withdrawn_claim_leaves_nothing_behind() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.decide(demand("a", 100), demand("b", 100))
    for name in ("a", "b"):
        cycle.cycle.withdraw(f"team-a/{name}")
    assert (cycle.cycle.waiting, len(cycle.cluster.assumptions), cycle.cycle.take("team-a/a")) == (0, 0, None)
    cycle.decide(demand("c", 100))
    assert isinstance(cycle.take("c").decision, Placed)


def test_a_waiting_demand_is_decided_again_only_on_a_retry() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.fed.put(cycle.cluster.claims, taken := claim("holder", status=spx_allocation()))
    cycle.decide(demand("a", 100))
    cycle.take("a")
    cycle.fed.drop(cycle.cluster.claims, taken)
    cycle.decide()
    assert cycle.cycle.take("team-a/a") is None
    cycle.decide(retry=True)
    assert isinstance(cycle.take("a").decision, Placed)


def spx_allocation() -> dict[str, object]:
    return {"phase": "Bound", "allocation": allocation(of=gpu(0, "SPX/NPS1"))}


def test_the_same_demand_again_keeps_its_turn_a_changed_one_is_new() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.fed.put(cycle.cluster.claims, claim("holder", status=spx_allocation()))
    cycle.decide(demand("a", 100))
    cycle.take("a")
    cycle.decide(demand("a", 100))
    assert cycle.woken == keys(["a"])
    cycle.decide(demand("a", 500))
    assert cycle.woken == keys(["a", "a"])
    assert cycle.cycle.waiting == 1


def test_the_same_reason_is_told_again_only_after_a_while() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.decide(demand("a", 500))
    cycle.take("a")
    cycle.decide(retry=True)
    assert cycle.woken == keys(["a"])
    cycle.fed.clock.tick(REFRESH_SECONDS)
    cycle.decide(retry=True)
    assert cycle.woken == keys(["a", "a"])


def test_another_reason_is_told_at_once() -> None:
    cycle = Cycle("CPX/NPS4")
    cycle.decide(demand("a", 30))
    cycle.fed.add_node("worker-1", gpu(0), unschedulable=True)
    cycle.decide(retry=True)
    assert cycle.woken == keys(["a", "a"])


def test_a_stale_node_places_nothing_until_its_agent_is_heard_of() -> None:
    cycle = Cycle("CPX/NPS4")
    cycle.fed.clock.tick(41)
    cycle.decide(demand("a"))
    assert isinstance(cycle.take("a").decision, Unplaced)
    cycle.fed.beat("worker-0")
    cycle.decide(retry=True)
    assert isinstance(cycle.take("a").decision, Placed)


# Mode changes.


def test_a_change_that_would_help_is_wished_once() -> None:
    cycle = Cycle("SPX/NPS1", "SPX/NPS1")
    cycle.allow_changes(maxParallelNodes=5)
    cycle.decide(demand("a", modes=["CPX/NPS1"]))
    wish = cycle.take("a").plan
    assert wish is not None
    assert (wish.spec.node, wish.spec.claim_ref and wish.spec.claim_ref.name) == ("worker-0", "a")
    for _ in range(3):
        cycle.fed.clock.tick(REFRESH_SECONDS)
        cycle.decide(retry=True)
        assert cycle.take("a").plan is None


def test_a_wish_counts_at_once_for_those_after_it() -> None:
    cycle = Cycle("SPX/NPS1", "SPX/NPS1")
    cycle.allow_changes(maxParallelNodes=5)
    cycle.decide(demand("a", modes=["CPX/NPS1"]), demand("b", modes=["CPX/NPS1"]), demand("c", 100))
    second = cycle.take("b").no_plan
    assert isinstance(second, Refused)
    assert second.reason == "RepartitionRunning"
    third = cycle.take("c").decision
    assert isinstance(third, Placed)
    assert third.gpu.bdf == bdf(1)


def test_a_wish_that_nobody_took_is_kept_when_the_reason_changes() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.allow_changes()
    cycle.decide(demand("a", modes=["CPX/NPS1"]))
    cycle.fed.add_node("worker-1", gpu(0, "SPX/NPS1"), unschedulable=True)
    cycle.decide(retry=True)
    assert cycle.take("a").plan is not None


def test_a_withdrawn_claims_wish_frees_its_node() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.allow_changes()
    cycle.decide(demand("a", modes=["CPX/NPS1"]))
    cycle.cycle.withdraw("team-a/a")
    assert cycle.cluster.plan_table.active_nodes() == ()


def test_a_plan_that_was_tried_and_did_not_help_is_not_made_again() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.allow_changes()
    cycle.decide(demand("a", modes=["CPX/NPS1"]))
    wish = cycle.take("a").plan
    assert wish is not None
    failed = plan(wish.metadata.name, phase="Failed", claim_uid="uid-team-a/a")
    cycle.fed.put(cycle.cluster.plans, failed)
    cycle.decide(retry=True)
    again = cycle.take("a")
    assert again.plan is None
    assert again.no_plan is not None
    assert again.no_plan.reason == "RepartitionTried"


def test_without_a_policy_nothing_is_wished() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.decide(demand("a", modes=["CPX/NPS1"]))
    outcome = cycle.take("a")
    assert outcome.plan is None
    assert outcome.no_plan is not None
    assert outcome.no_plan.reason == "RepartitionDisabled"


# The loop.


async def test_run_decides_bursts_together_and_again_when_something_changed() -> None:
    fed = FedCluster()
    woken: list[str] = []
    cycle = PlacementCycle(fed.cluster, ModelScheduler(), fed.clock, woken.append)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cycle.run())
        await fed.clock.advance(0.01)
        cycle.submit(demand("late", created_seconds=2.0))
        cycle.submit(demand("early", created_seconds=1.0))
        await fed.clock.advance(0.01)
        assert woken == keys(["early", "late"])
        fed.add_node("worker-0", gpu(0))
        await fed.clock.advance(1.0)
        assert woken == keys(["early", "late"])
        cycle.changed()
        await fed.clock.advance(0.01)
        assert woken == keys(["early", "late"]) * 2
        assert len(fed.cluster.assumptions) == 2
        running.cancel()


@pytest.mark.looptime
async def test_run_looks_again_by_itself_while_somebody_waits() -> None:
    fed = FedCluster()
    woken: list[str] = []
    cycle = PlacementCycle(fed.cluster, ModelScheduler(), LoopClock(), woken.append)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cycle.run())
        cycle.submit(demand("a"))
        await asyncio.sleep(1.0)
        fed.add_node("worker-0", gpu(0))  # nobody says that something changed
        await asyncio.sleep(REFRESH_SECONDS + 1.0)
        assert woken == keys(["a", "a"])
        running.cancel()


async def test_one_failed_cycle_does_not_end_placement() -> None:
    fed = FedCluster()
    woken: list[str] = []
    scheduler = ModelScheduler()
    cycle = PlacementCycle(fed.cluster, scheduler, fed.clock, woken.append)
    fed.add_node("worker-0", gpu(0))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cycle.run())
        cycle.scheduler = None  # type: ignore[assignment]
        cycle.submit(demand("a"))
        await fed.clock.advance(0.01)
        cycle.scheduler = scheduler
        cycle.submit(demand("b"))
        await fed.clock.advance(0.01)
        assert "team-a/b" in woken
        running.cancel()


def test_a_claim_bound_by_an_earlier_life_is_respected() -> None:
    cycle = Cycle("CPX/NPS4")
    cycle.fed.put(cycle.cluster.claims, bound_claim("before", index=0))
    cycle.decide(demand("a"))
    decision = cycle.take("a").decision
    assert isinstance(decision, Placed)
    assert decision.partition.id.index == 1


def small(count: int) -> list[Demand]:
    return [demand(f"small-{n}", 20, modes=["CPX/NPS1"], created_seconds=float(n)) for n in range(count)]


def test_claims_that_one_change_helps_make_one_plan_together() -> None:
    cycle = Cycle("SPX/NPS1", "SPX/NPS1")
    cycle.allow_changes()
    cycle.decide(*small(8))
    first, *others = (cycle.take(f"small-{n}") for n in range(8))
    assert first.plan is not None
    assert [(gpu_.bdf, gpu_.mode) for gpu_ in first.plan.spec.to.gpus] == [(bdf(0), "CPX/NPS1")]
    assert [outcome.plan for outcome in others] == [None] * 7
    assert {outcome.no_plan.reason for outcome in others if outcome.no_plan} == {"RepartitionRunning"}
    assert (cycle.times(Timed.CYCLE), cycle.times(Timed.LAYOUTS) > 0) == (1, True)


def test_who_comes_later_and_fits_into_a_plan_under_way_makes_none() -> None:
    cycle = Cycle("SPX/NPS1", "SPX/NPS1")
    cycle.allow_changes(maxParallelNodes=4)
    cycle.fed.add_node("worker-1", gpu(0, "SPX/NPS1"))
    first, *later = small(5)
    cycle.decide(first)
    cycle.decide(*later)
    assert cycle.take("small-0").plan is not None
    assert [cycle.take(f"small-{n}").plan for n in range(1, 5)] == [None] * 4


def test_nobody_is_moved_for_a_claim_that_a_plan_serves() -> None:
    cycle = Cycle("SPX/NPS1")
    cycle.allow_changes()
    cycle.decide(*small(2))
    second = cycle.take("small-1")
    assert (second.kept, second.no_victims) == (None, None)


def test_who_cannot_be_helped_by_a_change_is_not_decided_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = Cycle("CPX/NPS4")
    cycle.decide(demand("large", 150))
    asked: list[str] = []
    schedule = cycle.cycle.scheduler.schedule

    def noted(snapshot: Snapshot, wanted: Demand) -> Decision:
        asked.append(wanted.key)
        return schedule(snapshot, wanted)

    monkeypatch.setattr(cycle.cycle.scheduler, "schedule", noted)
    cycle.cycle.decide(retry=True, changes={Change.FREED})
    assert asked == []
    cycle.cycle.decide(retry=True, changes={Change.INVENTORY})
    assert set(asked) == {"team-a/large"}


def test_a_claim_of_several_partitions_has_its_idle_gpus_changed() -> None:
    cycle = Cycle("SPX/NPS1", "SPX/NPS1")
    cycle.allow_changes()
    cycle.decide(demand("ranks", 90, count=4))
    found = cycle.take("ranks").plan
    assert found is not None
    assert [(gpu_.bdf, gpu_.mode) for gpu_ in found.spec.to.gpus] == [(bdf(0), "DPX/NPS1"), (bdf(1), "DPX/NPS1")]
