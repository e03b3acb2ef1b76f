from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.v1beta1 import RepartitionPlan
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.steps import Steps
from controller.reconcilers.defragmentation import controller
from controller.reconcilers.defragmentation.controller import (
    LOOK_SECONDS,
    UNSETTLED_SECONDS,
    DefragmentationReconciler,
)
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.repartition.defragmentation import Chance, Field, chances
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Unavailable
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import REPARTITION_PLANS
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.demand import demand
from tests.builders.gpu import bdf, gpu
from tests.builders.plan import plan
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi

CPX = "CPX/NPS1"
RULES: dict[str, Any] = {"enabled": True, "after": "10m", "rest": "1h"}


class World:
    """Two GPUs in CPX with three pods: one on the second GPU, which could come free."""

    def __init__(self, **rules: Any) -> None:
        self.api, self.fed = InMemoryApi(), FedCluster()
        self.told: list[str] = []
        self.waiting: dict[str, Demand] = {}
        cycle = SimpleNamespace(waiting_keys=(), unplaced=self.waiting.get, scheduler=ModelScheduler())
        self.cycle = cycle
        recorder = SimpleNamespace(record=lambda regarding, type_, reason, note, action: self.told.append(reason))
        self.fed.add_node("worker-0", gpu(0, CPX), gpu(1, CPX))
        for name, number, index in (("a", 0, 0), ("b", 0, 1), ("c", 1, 0)):
            self.serves(name, number, index)
        self.rule(**rules)
        self.reconciler = DefragmentationReconciler(
            cast("Client", self.api),
            self.fed.cluster,
            cast("PlacementCycle", cycle),
            cast("EventRecorder", recorder),
            self.fed.clock,
            rng=Random(1),
        )

    def rule(self, *, paused: bool = False, **rules: Any) -> None:
        spec: dict[str, Any] = {
            "repartition": {"enabled": True},
            "defragmentation": RULES | rules,
            "validatedOnly": False,
        }
        self.fed.put(self.fed.cluster.policies, policy_object("shared", paused=paused, **spec))

    def serves(self, name: str, number: int, index: int, *, owner: str = "rs") -> None:
        controller = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": owner, "controller": True}
        made = pod(name, claim=f"aim-{name}", gates=(), node="worker-0", metadata={"ownerReferences": [controller]})
        held = {"phase": "Allocated", "allocation": allocation("worker-0", number, index, of=gpu(number, CPX))}
        self.fed.put(self.fed.cluster.pods, made)
        self.fed.put(self.fed.cluster.claims, claim(f"aim-{name}", pod=name, status=held))

    def leaves(self, name: str) -> None:
        self.fed.drop(self.fed.cluster.claims, claim(f"aim-{name}", pod=name))

    def waits(self, wanted: Demand) -> None:
        self.waiting[wanted.key] = wanted
        self.cycle.waiting_keys = tuple(self.waiting)

    async def look(self, after: float = 0.0) -> Result:
        """A look after so many seconds, with informers that show what was made."""
        for _ in range(int(after // 10)):
            self.fed.clock.tick(10)
            self.fed.beat("worker-0")
        self.fed.listed(self.fed.cluster.plans, *self.api.of(REPARTITION_PLANS))
        return await self.reconciler.reconcile(Request("", "shared"))

    async def looks(self, minutes: int) -> None:
        for _ in range(minutes):
            await self.look(60)

    def plans(self) -> list[RepartitionPlan]:
        return [RepartitionPlan.model_validate(each) for each in self.api.of(REPARTITION_PLANS)]

    def becomes(self, phase: str) -> None:
        (latest,) = self.api.of(REPARTITION_PLANS)[-1:]
        self.api.put(REPARTITION_PLANS, latest | {"status": {"phase": phase, "message": "as it is"}})


async def test_a_gain_is_proposed_once_it_has_lasted() -> None:
    world = World()
    await world.looks(10)
    assert world.plans() == []
    await world.looks(1)
    (made,) = world.plans()
    assert [gpu.bdf for gpu in made.spec.to.gpus] == [bdf(1)]
    assert world.told == ["DefragmentationProposed"]


async def test_a_chance_whose_node_changes_during_the_look_is_left_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    await world.looks(10)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(controller, "seeking_chances", during(lambda: world.serves("d", 0, 5)))
        await world.look(60)
    assert world.plans() == []
    await world.look(60)
    assert len(world.plans()) == 1


async def test_a_look_under_a_policy_that_changed_meanwhile_is_taken_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    await world.looks(10)
    monkeypatch.setattr(controller, "seeking_chances", during(lambda: world.rule(enabled=False)))
    assert await world.look(60) == Result(requeue_after=UNSETTLED_SECONDS)
    assert world.plans() == []


def during(change: Callable[[], None]) -> Callable[[Field], Steps[tuple[Chance, ...]]]:
    """A look during which something changes."""

    def looking(asked: Field) -> Steps[tuple[Chance, ...]]:
        found = chances(asked)
        change()
        yield
        return found

    return looking


async def test_a_gain_that_was_away_has_to_last_anew() -> None:
    world = World()
    await world.looks(8)
    world.leaves("c")
    await world.look(60)
    world.serves("c", 1, 0)
    await world.looks(10)
    assert world.plans() == []
    await world.looks(1)
    assert len(world.plans()) == 1


async def test_one_plan_at_a_time_and_a_rest_after_it() -> None:
    world = World(after="0s")
    await world.look()
    world.becomes("AwaitingApproval")
    await world.looks(90)
    assert len(world.plans()) == 1
    world.becomes("Failed")
    await world.looks(60)
    assert len(world.plans()) == 1
    await world.looks(2)
    assert len(world.plans()) == 2


async def test_a_waiting_claim_that_would_get_in_is_part_of_the_gain() -> None:
    world = World(after="0s")
    world.waits(demand("aim-whole", 150))
    await world.look()
    (made,) = world.plans()
    assert made.spec.gain is not None
    assert made.spec.gain.claims == 1
    assert [each.mode for each in made.spec.to.gpus] == ["SPX/NPS1"]


async def test_members_of_gangs_are_not_waited_for() -> None:
    world = World(after="0s")
    world.waits(demand("aim-whole", 150, gang="ranks"))
    await world.look()
    assert [made.spec.gain and made.spec.gain.claims for made in world.plans()] == [0]


@pytest.mark.parametrize("rules", [{"enabled": False}, {"paused": True}, {"minGain": 2}])
async def test_nothing_is_proposed_where_the_policy_does_not_want_it(rules: dict[str, Any]) -> None:
    world = World(**{"after": "0s"} | rules)
    await world.looks(5)
    assert world.plans() == []


async def test_a_pod_without_a_controller_keeps_its_place() -> None:
    world = World(after="0s")
    world.serves("c", 1, 0, owner="")
    await world.looks(3)
    assert [each.bdf for made in world.plans() for each in made.spec.to.gpus] == [bdf(0)]


async def lost(world: World) -> str | None:
    (latest,) = world.plans()[-1:]
    return world.reconciler.lost(latest)


async def test_a_plan_loses_its_gain_once_that_was_away_for_as_long_as_it_had_to_last() -> None:
    world = World(after="0s")
    await world.look()
    world.becomes("AwaitingApproval")
    await world.looks(3)
    world.leaves("c")
    await world.looks(2)
    assert await lost(world) is None
    await world.looks(1)
    assert await lost(world) == "moving its pods would regain nothing any more; nothing was changed"


async def test_a_pause_loses_no_gain_and_a_policy_that_wants_none_any_more_does() -> None:
    world = World(after="0s")
    await world.look()
    world.becomes("AwaitingApproval")
    world.rule(paused=True)
    await world.looks(30)
    world.rule()
    await world.look(60)
    assert await lost(world) is None
    world.rule(enabled=False)
    assert "policy shared has no models brought together any more" in (await lost(world) or "")


async def test_plans_for_claims_are_not_its_business() -> None:
    world = World()
    assert world.reconciler.lost(RepartitionPlan.model_validate(plan(claim_uid="uid-claim"))) is None


async def test_a_write_that_failed_is_tried_again() -> None:
    world = World(after="0s")

    def fail(_: str) -> None:
        raise Unavailable(503, "ServiceUnavailable", "down")

    world.api.before_write = fail
    with pytest.raises(Unavailable):
        await world.look()
    assert not list(world.fed.cluster.plan_table.values())
    world.api.before_write = lambda _: None
    await world.look()
    assert len(world.plans()) == 1


async def test_it_looks_at_a_slow_pace_that_differs_a_little_from_look_to_look() -> None:
    world = World()
    pauses = [(await world.look()).requeue_after or 0 for _ in range(20)]
    assert len(set(pauses)) == 20
    assert all(0.9 * LOOK_SECONDS <= pause <= 1.1 * LOOK_SECONDS for pause in pauses)
    assert await World(enabled=False).look() == Result()
