"""What the cycle tells the planner of the cluster around a claim."""

from typing import Any

import pytest

from controller.placement.decision import Placed
from controller.placement.demand import Demand, Resources
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Snapshot
from controller.placement.steps import Steps
from controller.reconcilers.gpu_partition_claim import standing
from controller.reconcilers.gpu_partition_claim.cycle import Outcome, PlacementCycle
from controller.repartition import planner
from controller.repartition.disruption_budget import Refused
from controller.repartition.division import Pending
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.demand import demand
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan, reservation
from tests.builders.pod import pod
from tests.builders.policy import policy_object

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "chat", "uid": "uid-chat", "controller": True}


class Scene:
    """worker-0 may change; a pod of ours holds its GPU, and worker-1 has room for that pod."""

    def __init__(self, *, number: int = 1, busy: bool = True, **rules: object) -> None:
        self.fed = FedCluster()
        self.cycle = PlacementCycle(self.fed.cluster, ModelScheduler(), self.fed.clock, lambda _: None)
        self.fed.add_node("worker-0", *(gpu(n, "CPX/NPS1") for n in range(number)), labels={"pool": "changes"})
        self.fed.add_node("worker-1", gpu(0, "CPX/NPS1"))
        repartition = {"enabled": True, "approval": "Manual"} | rules
        labels = {"pool": "changes"}
        made = policy_object(node_labels=labels, repartition=repartition, validatedOnly=False)
        self.fed.put(self.fed.cluster.policies, made)
        if busy:
            self.fed.put(self.fed.cluster.claims, bound_claim("aim-held", pod="held", phase="Allocated"))
            metadata = {"ownerReferences": [OWNER]}
            self.put_pod(pod("held", claim="aim-held", gates=(), node="worker-0", phase="Running", metadata=metadata))

    def put_pod(self, made: dict[str, Any]) -> None:
        self.fed.put(self.fed.cluster.pods, made)

    def put_plan(self, made: dict[str, Any]) -> None:
        self.fed.put(self.fed.cluster.plans, made)

    def decide(self) -> Outcome:
        self.cycle.submit(demand("a", 150))
        self.cycle.decide(retry=True)
        outcome = self.cycle.take("team-a/a")
        assert outcome is not None
        return outcome

    def reason(self) -> str:
        refused = self.decide().no_plan
        return refused.reason if refused is not None else ""


def test_a_person_is_asked_when_a_pod_would_have_to_move() -> None:
    wish = Scene().decide().plan
    assert wish is not None
    assert (wish.spec.node, wish.spec.approval.value, wish.spec.approved) == ("worker-0", "Manual", False)


def test_pods_that_are_down_count() -> None:
    scene = Scene()
    down = plan("other", "worker-9", phase="Succeeded", numbers=(3,))
    down["status"]["reservations"] = [reservation(bdf(0), 7, node="worker-1")]
    scene.put_plan(down)
    assert scene.reason() == "UnavailablePodsBudget"


def test_a_plan_that_failed_makes_room_for_another_gpu_and_is_tried_again_later() -> None:
    scene = Scene(number=2, busy=False, cooldown="0s")
    tried = plan("worker-0-tried", phase="Failed", claim_uid="uid-team-a/a", applied_until="2026-01-01T00:00:00Z")
    for side, mode in (("from", "CPX/NPS1"), ("to", "SPX/NPS1")):
        tried["spec"][side]["gpus"][0]["mode"] = mode
    scene.put_plan(tried)
    wish = scene.decide().plan
    assert wish is not None
    assert [each.bdf for each in wish.spec.to.gpus] == [bdf(1)]


def test_the_only_change_that_failed_rests_and_is_another_plan_then() -> None:
    scene = Scene(busy=False, cooldown="0s")
    first = scene.decide().plan
    assert first is not None
    failed = plan(first.metadata.name, phase="Failed", claim_uid="uid-team-a/a", applied_until="2026-01-01T00:00:00Z")
    for side, mode in (("from", "CPX/NPS1"), ("to", "SPX/NPS1")):
        failed["spec"][side]["gpus"][0]["mode"] = mode
    scene.put_plan(failed)
    assert scene.reason() == "RepartitionTried"
    scene.fed.clock.tick(601)
    scene.fed.beat("worker-0")
    again = scene.decide().plan
    assert again is not None
    assert again.metadata.name != first.metadata.name


def test_what_was_refused_to_one_is_refused_to_all_that_ask_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def noting(snapshot: Snapshot, wanted: Demand, *given: Any) -> Steps[planner.Proposal | Refused]:
        asked.append(wanted.key)
        return planner.proposing(snapshot, wanted, *given)

    monkeypatch.setattr(standing, "proposing", noting)
    scene = Scene(maxUnavailablePods=0)
    for name, size in (("a", 150), ("b", 150), ("c", 100)):
        scene.cycle.submit(demand(name, size))
    scene.cycle.decide(retry=True)
    assert asked == ["team-a/a", "team-a/c"]
    refused = [outcome.no_plan for name in "abc" if (outcome := scene.cycle.take(f"team-a/{name}")) is not None]
    assert [each.reason for each in refused if each is not None] == ["UnavailablePodsBudget"] * 3


def under_change(fed: FedCluster, name: str, *gpus: Gpu) -> dict[str, Any]:
    """A node whose first GPU came to SPX, and whose operation is not seen to be taken back yet."""
    layouts = {
        side: {"gpus": [{"bdf": bdf(0), "mode": mode}]} for side, mode in (("from", "CPX/NPS1"), ("to", "SPX/NPS1"))
    }
    made = gpu_node(name, *gpus)
    made["spec"]["operation"] = {"id": "plan-uid", **layouts}
    fed.put(fed.cluster.gpu_nodes, made)
    return made


@pytest.mark.parametrize("parallel", [pytest.param(1, id="one node at once"), pytest.param(2, id="two at once")])
def test_a_change_that_ended_and_is_still_in_its_agents_hand_makes_no_second_one(parallel: int) -> None:
    scene = Scene(busy=False, cooldown="0s", approval="Auto", maxParallelNodes=parallel)
    scene.fed.add_node("worker-2", gpu(0, "CPX/NPS1"), labels={"pool": "changes"})
    made = under_change(scene.fed, "worker-0", gpu(0, "SPX/NPS1"))
    scene.put_plan(plan("worker-0-done", phase="Succeeded", claim_uid="uid-team-a/a"))
    assert scene.reason() == "RepartitionRunning"
    del made["spec"]["operation"]
    scene.fed.put(scene.fed.cluster.gpu_nodes, made)
    assert isinstance(scene.decide().decision, Placed)


def test_an_operation_counts_as_a_change_under_way_for_other_claims() -> None:
    scene = Scene(busy=False, cooldown="0s", approval="Auto")
    scene.fed.add_node("worker-2", gpu(0, "CPX/NPS1"), labels={"pool": "changes"})
    under_change(scene.fed, "worker-0", gpu(0, "SPX/NPS1"))
    scene.put_plan(plan("worker-0-done", phase="Succeeded", claim_uid="uid-team-a/other"))
    outcome = scene.decide()
    assert (outcome.plan, outcome.no_plan and outcome.no_plan.reason) == (None, "RepartitionBudget")


@pytest.mark.parametrize("later", [pytest.param(False, id="in the same turn"), pytest.param(True, id="in a later one")])
def test_a_gpu_that_somebody_of_the_cycle_has_got_is_changed_for_nobody(later: bool) -> None:
    scene = Scene(number=2, busy=False, cooldown="0s", approval="Auto", divide="WhenFull")
    wanting = tuple(demand(name, 150) for name in "ab")

    def pending() -> Steps[Pending]:
        yield from ()
        return Pending(unplaced=wanting)

    snapshot = scene.fed.cluster.snapshot()
    around = standing.Surroundings(scene.fed.cluster, snapshot, pending)
    now = scene.fed.clock.now()
    first = around.propose(wanting[0], now)
    assert isinstance(first, planner.Proposal)
    node = snapshot.node(first.node)
    assert node is not None
    taken = next(gpu for gpu in node.gpus if gpu.bdf == first.after[0][0])
    snapshot.hold(node, taken.partitions[:1], "team-a/other", Resources())
    if later:
        around = around.following(snapshot, pending)
    second = around.propose(wanting[0], now)
    assert isinstance(second, planner.Proposal)
    assert second.after[0][0] != taken.bdf
