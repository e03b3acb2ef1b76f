from typing import Any

import pytest

from api.v1beta1 import RepartitionPlan
from controller.reconcilers.repartition_plan.approval import observe_approval
from controller.reconcilers.repartition_plan.feasible import managed_elsewhere, refusal
from controller.reconcilers.repartition_plan.seen import Seen
from controller.repartition.phases import Event
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plan import plan
from tests.builders.policy import policy_object
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE

DCM = {"dcm.amd.com/gpu-config-profile": "cpx"}
CLAIM = {"namespace": "team-a", "name": "aim-a", "uid": "uid-team-a/aim-a"}


def the_plan(phase: str = "Pending", **spec: Any) -> RepartitionPlan:
    made = plan(phase=phase)
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    return RepartitionPlan.model_validate(made | {"spec": made["spec"] | spec})


def with_node(**fields: Any) -> FedCluster:
    fed = FedCluster()
    fed.add_node("worker-0", BEFORE, **fields)
    return fed


@pytest.mark.parametrize("phase", ["Pending", "AwaitingApproval"])
@pytest.mark.parametrize("spec", [{"approved": True}, {"approval": "Auto"}], ids=["approved", "needs none"])
def test_an_approved_plan_goes_on(phase: str, spec: dict[str, Any]) -> None:
    assert observe_approval(with_node().cluster, the_plan(phase, **spec)).event is Event.APPROVED


@pytest.mark.parametrize(("phase", "want"), [("Pending", Event.APPROVAL_NEEDED), ("AwaitingApproval", None)])
def test_one_that_needs_approval_says_how_to_give_it(phase: str, want: Event | None) -> None:
    seen = observe_approval(with_node().cluster, the_plan(phase))
    assert seen.event is want
    assert "aim-gpu approve plan-1, or " in seen.message
    assert """kubectl patch rpp plan-1 --type merge -p '{"spec":{"approved":true}}'""" in seen.message


@pytest.mark.parametrize(("rule", "want"), [("Auto", Event.APPROVED), ("Manual", Event.APPROVAL_NEEDED)])
def test_an_automatic_plan_waits_for_a_person_once_its_policy_says_so(rule: str, want: Event) -> None:
    fed = with_node()
    fed.put(fed.cluster.policies, policy_object(repartition={"enabled": True, "approval": rule}, validatedOnly=False))
    assert observe_approval(fed.cluster, the_plan(approval="Auto", policyRef="shared")).event is want


@pytest.mark.parametrize(
    ("spec", "objects", "want"),
    [
        pytest.param({"claimRef": CLAIM}, [], "claim team-a/aim-a is gone; nothing was changed", id="claim gone"),
        pytest.param({"claimRef": CLAIM}, [claim(uid="other")], "is gone", id="another claim of that name"),
        pytest.param({"claimRef": CLAIM}, [bound_claim()], "has a place", id="claim placed"),
        pytest.param({"claimRef": CLAIM}, [claim()], None, id="claim waits"),
        pytest.param({"policyRef": "shared"}, [], "allows no change any more", id="policy gone"),
        pytest.param({"policyRef": "shared"}, [policy_object()], "allows no change", id="policy disabled"),
        pytest.param(
            {"policyRef": "shared"},
            [policy_object(repartition={"enabled": True}, validatedOnly=False)],
            None,
            id="policy allows",
        ),
    ],
)
def test_a_plan_whose_reason_is_gone_is_refused(
    spec: dict[str, Any], objects: list[dict[str, Any]], want: str | None
) -> None:
    fed = with_node()
    for obj in objects:
        fed.put(fed.cluster.claims if obj["kind"] == "GPUPartitionClaim" else fed.cluster.policies, obj)
    seen = observe_approval(fed.cluster, the_plan(approved=True, **spec))
    assert (seen.event is Event.REFUSED, (want or "") in seen.message) == (want is not None, True)


def test_a_plan_of_a_node_that_is_gone_is_refused() -> None:
    fed = FedCluster()
    seen = observe_approval(fed.cluster, the_plan())
    assert seen.event is Event.REFUSED
    assert seen.message == "there is no GPUNode worker-0 (kubectl get gpun lists those that are); nothing was changed"


def test_a_gpu_node_that_will_be_made_is_waited_for() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.nodes, node_object(labels={"aim.amd.com/managed": "true"}))
    assert observe_approval(fed.cluster, the_plan()) == Seen(None, "waits: node worker-0 has no GPUNode yet")


@pytest.mark.parametrize(
    ("labels", "rules", "want"),
    [
        pytest.param({}, None, False, id="nobody else's node"),
        pytest.param(DCM, None, True, id="no policy"),
        pytest.param({"dcm.amd.com/gpu-config-profile-state": "success"}, {}, True, id="by its result"),
        pytest.param(DCM, {"ignoreDeviceConfigManager": True}, False, id="the policy says so"),
    ],
)
def test_nodes_of_the_device_config_manager_are_left_to_it(
    labels: dict[str, str], rules: dict[str, Any] | None, want: bool
) -> None:
    fed = with_node(labels=labels)
    if rules is not None:
        fed.put(fed.cluster.policies, policy_object(repartition={"enabled": True} | rules, validatedOnly=False))
    fed.put(fed.cluster.claims, claim())
    assert (managed_elsewhere(fed.cluster, the_plan()) is not None) is want
    assert observe_approval(fed.cluster, the_plan(approved=True)).event is Event.APPROVED
    made_for_a_claim = observe_approval(fed.cluster, the_plan(approved=True, claimRef=CLAIM))
    assert (made_for_a_claim.event is Event.REFUSED) is want


@pytest.mark.parametrize(("has", "want"), [(BEFORE, None), (AFTER, "reads CPX/NPS1, the plan starts from SPX/NPS1")])
def test_a_plan_starts_from_the_layout_that_it_names(has: Any, want: str | None) -> None:
    fed = FedCluster()
    fed.put(fed.cluster.nodes, node_object())
    fed.put(fed.cluster.gpu_nodes, gpu_node("worker-0", has))
    fed.beat("worker-0")
    fed.beat("worker-0")
    found = refusal(fed.cluster, the_plan())
    assert found is None if want is None else found is not None and want in found.message
