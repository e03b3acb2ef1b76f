"""Updates of a service that serves: what is applied, kept and told, on tables that are fed by hand."""

from functools import partial
from typing import Any

import pytest

from api.group import SERVICE_LABEL
from api.object import dump
from api.v1beta1 import InferenceService
from api.v1beta1.inference_service import AppliedRevision, KeptPlace, UpdateStrategy
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.inference_service.backend import deployment_for
from controller.reconcilers.inference_service.revision import hash_of
from controller.reconcilers.inference_service.updating import PAUSE_SECONDS, Offered, Step, Updating
from controller.state.revisions import REVISION
from tests.builders.claim import allocation, bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu
from tests.builders.inference_service import inference_service
from tests.builders.plugin import plugin_claim_of, plugin_pod
from tests.builders.pod import pod
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.flow import SIZING

KEY = "team-a/chat"
OLD = inference_service(model={"maxModelLen": 2048})
NEW = inference_service(model={"maxModelLen": 4096})
LARGE = inference_service(model={"id": "meta-llama/Llama-3.1-70B-Instruct"})


def revision(service: InferenceService, **fields: Any) -> AppliedRevision:
    template = deployment_for(service)["spec"]["template"]
    return AppliedRevision(hash=hash_of(template), generation=1, **fields)


def replica_set(name: str, number: int) -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat", "uid": "uid-deployment", "controller": True}
    metadata = {"name": name, "namespace": "team-a", "uid": f"uid-{name}", "ownerReferences": [owner]}
    return {"metadata": metadata | {"annotations": {REVISION: str(number)}}}


def made_by(replica_set: str) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": replica_set, "uid": f"uid-{replica_set}", "controller": True}
    return {"labels": {SERVICE_LABEL: "chat"}, "ownerReferences": [owner]}


class World:
    """A node in DPX with one pod of the service, and what `Updating` says of it."""

    def __init__(self, *, neighbour: bool = False) -> None:
        self.fed = FedCluster()
        cluster = self.fed.cluster
        self.fed.add_node("worker-0", gpu(0, "DPX/NPS1"))
        self.fed.put(cluster.replica_sets, replica_set("chat-1", 1))
        self.fed.put(cluster.replica_sets, replica_set("chat-2", 2))
        self.fed.put(cluster.pods, pod("chat-1-a", gates=(), node="worker-0", metadata=made_by("chat-1")))
        self.fed.put(cluster.claims, bound_claim(pod="chat-1-a", phase="Allocated"))
        if neighbour:
            self.fed.put(cluster.claims, bound_claim("aim-b", index=1, pod="other", phase="Allocated"))
        self.updating = Updating(cluster, SIZING, self.fed.clock, ModelScheduler())
        self.woken: list[str] = []
        self.updating.on_change(self.woken.append)

    def wait(self, reason: str, *, plugin: bool = False) -> None:
        """The pod of the newest revision is there, and was told that it has no place."""
        cluster = self.fed.cluster
        told = {"type": "Bound", "status": "False", "reason": reason, "message": "none is free"}
        told |= {"lastTransitionTime": "2026-01-01T00:00:00Z"}
        name = plugin_claim_of("chat-2-a") if plugin else "aim-n"
        made = plugin_pod if plugin else partial(pod, claim=name)
        self.fed.put(cluster.pods, made("chat-2-a", metadata=made_by("chat-2")))
        self.fed.put(cluster.claims, claim(name, pod="chat-2-a", status={"phase": "Pending", "conditions": [told]}))

    def step(self, service: InferenceService, applied: AppliedRevision | None) -> Step:
        status = service.status.model_copy(update={"applied": applied})
        template = deployment_for(service)["spec"]["template"]
        deployment = deployment_for(OLD)
        claims = [each for each in self.fed.cluster.claim_table.values() if each.metadata.name != "aim-b"]
        offered = Offered(template, template["spec"], deployment)
        return self.updating.step(KEY, service.model_copy(update={"status": status}), claims, offered)


def test_room_beside_the_old_pod_makes_a_surge_and_is_kept() -> None:
    world = World()
    step = world.step(NEW, revision(OLD))
    assert step.applied is not None
    assert (step.applied.strategy, step.held) == (UpdateStrategy.SURGE, False)
    (place,) = step.applied.places
    assert place.partition == 1
    ((kept, reservation),) = world.fed.cluster.update_places.reservations().items()
    assert (kept[1].index, reservation.service) == (1, KEY)


def test_without_room_the_old_pods_place_is_kept_for_the_new_one() -> None:
    step = World(neighbour=True).step(NEW, revision(OLD))
    assert step.applied is not None
    assert step.applied.strategy is UpdateStrategy.ONE_BY_ONE
    assert [place.partition for place in step.applied.places] == [0]


def test_a_revision_without_a_place_is_not_applied_and_its_user_is_told() -> None:
    step = World().step(LARGE, revision(OLD))
    assert step.held
    assert step.applied == revision(OLD)
    assert step.blocked is not None
    assert "generation 1 serves on" in step.blocked.message
    assert "Nearest change: " in step.blocked.message
    assert "spec.model.precision" in step.blocked.message


def test_a_model_that_cannot_be_sized_is_not_applied_either() -> None:
    step = World().step(inference_service(model={"id": "nobody/knows"}), revision(OLD))
    assert step.held
    assert step.blocked is not None
    assert step.blocked.reason == "UnknownModel"


def test_a_blocked_update_is_asked_for_again_when_something_changed_and_not_after_the_spec_went_back() -> None:
    world = World()
    world.step(LARGE, revision(OLD))
    world.updating.changed()
    assert world.woken == [KEY]
    assert world.step(OLD, revision(OLD)).blocked is None
    world.updating.changed()
    assert world.woken == [KEY]


def test_looks_at_a_blocked_update_keep_a_pause() -> None:
    world = World()
    first = world.step(LARGE, revision(OLD))
    world.fed.add_node("worker-1", gpu(0, "SPX/NPS1"))
    assert world.step(LARGE, revision(OLD)).blocked == first.blocked
    world.fed.clock.tick(PAUSE_SECONDS)
    assert world.step(LARGE, revision(OLD)).blocked is None


def test_a_lost_status_is_made_up_for_by_the_deployment() -> None:
    step = World().step(OLD, None)
    assert step.applied is not None
    assert (step.applied.hash, step.applied.strategy) == (revision(OLD).hash, None)


def test_a_surge_whose_room_is_gone_goes_on_one_by_one() -> None:
    world = World(neighbour=True)
    world.wait("NoFreePartition")
    step = world.step(NEW, revision(NEW, strategy=UpdateStrategy.SURGE))
    assert step.applied is not None
    assert step.applied.strategy is UpdateStrategy.ONE_BY_ONE


def test_a_rollout_that_waits_for_its_place_says_so() -> None:
    world = World(neighbour=True)
    world.wait("NoFreePartition")
    step = world.step(NEW, revision(NEW, strategy=UpdateStrategy.ONE_BY_ONE))
    assert step.blocked is not None
    assert (step.held, step.blocked.reason) == (False, "NoFreePartition")


def test_a_rollout_by_the_device_plugin_that_waits_says_that_nobody_could_look_before() -> None:
    world = World(neighbour=True)
    world.wait("NoFreePartition", plugin=True)
    step = world.step(NEW, revision(NEW, strategy=UpdateStrategy.ONE_BY_ONE))
    assert step.blocked is not None
    assert step.blocked.message.endswith("nobody can tell before a rollout whether a new pod finds a device")


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_service_that_serves_nothing_is_changed_at_once(replicas: int) -> None:
    world = World()
    world.fed.drop(world.fed.cluster.claims, bound_claim(pod="chat-1-a", phase="Allocated"))
    large = InferenceService.model_validate(dump(LARGE) | {"spec": dump(LARGE)["spec"] | {"replicas": replicas}})
    step = world.step(large, revision(OLD))
    assert (step.held, step.applied and step.applied.strategy) == (False, None)


@pytest.mark.parametrize(
    ("approval", "spare", "want"),
    [
        pytest.param("Auto", True, UpdateStrategy.SURGE, id="an idle GPU, by itself"),
        pytest.param("Manual", True, UpdateStrategy.SURGE, id="an idle GPU, when a person approves"),
        pytest.param("Auto", False, UpdateStrategy.ONE_BY_ONE, id="only its own GPU, by itself"),
        pytest.param("Manual", False, None, id="only its own GPU, and a person would have to approve"),
    ],
)
def test_a_change_of_modes_makes_room_where_the_policy_lets_it(
    approval: str, spare: bool, want: UpdateStrategy | None
) -> None:
    world = World()
    rules = {"enabled": True, "approval": approval}
    world.fed.put(world.fed.cluster.policies, policy_object(repartition=rules, validatedOnly=False))
    if spare:
        world.fed.add_node("worker-1", gpu(0, "DPX/NPS1"))
    step = world.step(LARGE, revision(OLD))
    assert step.applied is not None
    assert (step.applied.strategy, step.held) == (want, want is None)


@pytest.mark.parametrize(("priority", "want"), [(9, UpdateStrategy.SURGE), (0, None)])
def test_pods_of_lower_priority_are_to_leave_for_a_new_one_beside_the_old(
    priority: int, want: UpdateStrategy | None
) -> None:
    world = World()
    cluster = world.fed.cluster
    world.fed.put(
        cluster.pods,
        pod("chat-1-a", gates=(), node="worker-0", phase="Running", priority=priority, metadata=made_by("chat-1")),
    )
    world.fed.add_node("worker-1", gpu(0, "SPX/NPS1"))
    low = pod("low", claim="aim-b", gates=(), node="worker-1", phase="Running", metadata=made_by("low"))
    world.fed.put(cluster.pods, low)
    there = allocation("worker-1", of=gpu(0, "SPX/NPS1"))
    world.fed.put(cluster.claims, claim("aim-b", pod="low", status={"phase": "Allocated", "allocation": there}))
    step = world.step(LARGE, revision(OLD))
    assert step.applied is not None
    assert (step.applied.strategy, step.held) == (want, want is None)


def test_no_place_is_promised_to_two_updates() -> None:
    world = World()
    other = KeptPlace(node="worker-0", bdf=bdf(0), partition=1)
    world.fed.cluster.update_places.assume("team-a/other", (other,))
    step = world.step(NEW, revision(OLD))
    assert step.applied is not None
    assert step.applied.strategy is UpdateStrategy.ONE_BY_ONE
    assert other not in step.applied.places
