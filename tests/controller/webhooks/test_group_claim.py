"""The webhook's part for members of share groups."""

from typing import Any

import pytest

from api.group import ASSIGNED_CU_MASK, ASSIGNED_FRACTION, ASSIGNED_VISIBLE_DEVICES, ISOLATION, SHARE_GROUP
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from controller.translate.request import Problem
from controller.translate.share_group import group_claim_name
from controller.webhooks.pod_binding import PodBinding
from controller.webhooks.pod_gate import PodGate
from tests.builders.gpu import gpu
from tests.builders.json_patch import apply_patch
from tests.builders.pod import OPTED_IN, template
from tests.builders.policy import policy_object
from tests.controller.webhooks.ground import Ground

MEMBER = OPTED_IN | {ISOLATION: "cooperative", SHARE_GROUP: "chat"}
CHAT = group_claim_name("team-a", "chat")


def member(**spec: Any) -> dict[str, Any]:
    return template(annotations=MEMBER, **spec)


def named(claim: str) -> list[dict[str, str]]:
    return [{"name": "aim-gpu", "resourceClaimName": claim}]


def admit(pod: dict[str, Any], namespace: str = "team-a") -> dict[str, Any]:
    patch = PodGate().mutate(pod, namespace)
    assert isinstance(patch, list), patch
    return apply_patch(pod, patch)


def refused(pod: dict[str, Any], gate: PodGate | None = None) -> Problem:
    outcome = (gate or PodGate()).mutate(pod, "team-a")
    assert isinstance(outcome, tuple), outcome
    (problem,) = outcome
    return problem


def test_every_member_names_the_one_claim_of_its_group() -> None:
    claims = {admit(member())["spec"]["resourceClaims"][0]["resourceClaimName"] for _ in range(3)}
    assert claims == {CHAT}


def test_a_group_of_that_name_in_another_namespace_is_another_group() -> None:
    other = admit(member(), "team-b")["spec"]["resourceClaims"]
    assert other == named(group_claim_name("team-b", "chat"))
    assert other != named(CHAT)


def test_members_are_told_their_mask_and_fraction_by_their_environment() -> None:
    (main,) = admit(member())["spec"]["containers"]
    read = {item["name"]: item["valueFrom"]["fieldRef"]["fieldPath"] for item in main["env"]}
    wanted = {
        "HSA_CU_MASK": ASSIGNED_CU_MASK,
        "ROCR_VISIBLE_DEVICES": ASSIGNED_VISIBLE_DEVICES,
        "AIM_GPU_MEMORY_FRACTION": ASSIGNED_FRACTION,
    }
    assert wanted.items() <= {name: path[len("metadata.annotations['") : -2] for name, path in read.items()}.items()


def test_a_pod_on_its_own_has_no_mask() -> None:
    (main,) = admit(template())["spec"]["containers"]
    assert "HSA_CU_MASK" not in {item["name"] for item in main["env"]}


def test_a_second_pass_changes_nothing() -> None:
    once = admit(member())
    assert PodGate().mutate(once, "team-a") == []


def test_a_member_names_no_other_claim_of_ours() -> None:
    problem = refused(member(resourceClaims=named("aim-0123456789")))
    assert (problem.field, problem.value) == ("spec.resourceClaims", "aim-0123456789")
    assert CHAT in problem.remedy


def test_a_pod_of_no_group_names_no_groups_claim() -> None:
    problem = refused(template(resourceClaims=named(CHAT)))
    assert (problem.field, problem.value) == ("spec.resourceClaims", CHAT)
    assert SHARE_GROUP in problem.remedy


@pytest.fixture
def by_plugin() -> PodGate:
    """Where every GPU is handed out by the device plugin."""
    plugin = policy_object("plugin", binding="DevicePlugin")
    on = Ground(policies=[plugin], nodes={"worker-0": [gpu()]})
    on.cluster.resource_claims.served = True
    return PodGate(binding=PodBinding(on.cluster, Models(Catalog.bundled())))


def test_the_device_plugin_shares_no_device(by_plugin: PodGate) -> None:
    problem = refused(member(), by_plugin)
    assert (problem.field, problem.value) == (SHARE_GROUP, "chat")
    assert "gives one to a pod alone" in problem.remedy
