"""What a user of a namespace tries with every right there, while no operator runs: the API server refuses it alone."""

from typing import Any

import pytest

from api.group import ASSIGNMENT_KEYS
from e2e.plane import Plane
from e2e.plane.admin import APPLY_PATCH
from tests.integration.guards.conftest import (
    AIM,
    GATE,
    Object,
    Party,
    gated,
    gpu_node,
    naming,
    operation,
    partition_claim,
    pod,
    resource_claim,
)

pytestmark = pytest.mark.plane

BDF = "0000:05:00.0"
STRATEGIC = "application/strategic-merge-patch+json"
OPT_IN = "aim.amd.com/gpu-sharing"
NODE, PARTITION = "aim.amd.com/assigned-node", "aim.amd.com/assigned-partition"
ASSIGNMENT = ASSIGNMENT_KEYS


def owner_of(user: Party, name: str) -> Object:
    """A pod that waits, as what belongs to it names it."""
    user.accepted("POST", user.pods, gated(name))
    uid = user.client.get(f"{user.pods}/{name}")["metadata"]["uid"]
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid, "controller": True}


@pytest.mark.parametrize(
    ("patch", "content_type"),
    [
        pytest.param({"spec": {"schedulingGates": None}}, None, id="merge patch"),
        pytest.param([{"op": "remove", "path": "/spec/schedulingGates/0"}], None, id="JSON patch"),
        pytest.param({"spec": {"schedulingGates": [{"$patch": "delete", "name": GATE}]}}, STRATEGIC, id="strategic"),
    ],
)
def test_our_gate_is_not_patched_away(user: Party, patch: Any, content_type: str | None) -> None:
    user.accepted("POST", user.pods, gated("held"))
    message = user.refused("PATCH", f"{user.pods}/held", patch, content_type)
    assert all(word in message for word in (f"{user.namespace}/held", "spec.schedulingGates", GATE, "deleting the pod"))
    assert user.client.get(f"{user.pods}/held")["spec"]["schedulingGates"] == [{"name": GATE}]


def test_our_gate_is_neither_replaced_nor_applied_away(user: Party) -> None:
    path = f"{user.pods}/held?fieldManager=user&force=true"
    user.accepted("PATCH", path, gated("held"), APPLY_PATCH)
    user.refused("PATCH", path, pod("held"), APPLY_PATCH)
    stored = user.client.get(f"{user.pods}/held")
    del stored["spec"]["schedulingGates"]
    user.refused("PUT", f"{user.pods}/held", stored)


def test_another_gate_is_its_owners_matter(user: Party) -> None:
    user.accepted("POST", user.pods, pod("held", schedulingGates=[{"name": GATE}, {"name": "example.com/own"}]))
    user.accepted("PATCH", f"{user.pods}/held", [{"op": "remove", "path": "/spec/schedulingGates/1"}])
    user.accepted("DELETE", f"{user.pods}/held")


@pytest.mark.parametrize("key", ASSIGNMENT)
def test_an_assignment_is_not_forged_at_creation(user: Party, key: str) -> None:
    message = user.refused("POST", user.pods, pod("forged", {key: "node-7"}))
    assert all(word in message for word in (f"{user.namespace}/forged", key, "'node-7'", "take"))


def test_not_even_an_administrator_creates_an_assignment(guarded: Plane, namespace: str) -> None:
    admin = Party(guarded.admin, namespace)
    admin.refused("POST", admin.pods, pod("forged", {NODE: "node-7"}))
    admin.accepted("POST", admin.pods, gated("bound"))
    target = {"apiVersion": "v1", "kind": "Node", "name": "node-7"}
    binding = {"metadata": {"name": "bound", "annotations": {NODE: "node-7"}}, "target": target}
    assert NODE in admin.refused("POST", f"{admin.pods}/bound/binding", binding)


def test_a_template_with_an_assignment_makes_no_pod_and_the_deployment_says_why(user: Party, plane: Plane) -> None:
    labels = {"app": "forged"}
    template = pod("", {PARTITION: "0000:05:00.0/0"})
    template["metadata"] = {"labels": labels, "annotations": {PARTITION: "0000:05:00.0/0"}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    user.accepted("POST", user.deployments, {"metadata": {"name": "forged"}, "spec": spec})

    def failure() -> str:
        status: Object = user.client.get(f"{user.deployments}/forged").get("status", {})
        return "".join(c["message"] for c in status.get("conditions", ()) if c["type"] == "ReplicaFailure")

    plane.wait_until(lambda: bool(failure()), "the Deployment says why", 60)
    assert all(word in failure() for word in (PARTITION, "0000:05:00.0/0", "pod template")), failure()
    assert user.client.get(user.pods)["items"] == []


def test_an_assignment_is_neither_added_changed_nor_removed_on_a_pod(user: Party, operator: Party) -> None:
    user.accepted("POST", user.pods, pod("runs"))
    path = f"{user.pods}/runs"
    add = {"metadata": {"annotations": {NODE: "node-7"}}}
    assert "'(absent)'" in user.refused("PATCH", path, add)
    assert NODE in user.refused("PATCH", f"{path}/status", add)
    operator.accepted("PATCH", path, {"metadata": {"annotations": {NODE: "node-1"}}})
    message = user.refused("PATCH", path, add)
    assert all(word in message for word in (f"{user.namespace}/runs", NODE, "'node-7'", "leave it at 'node-1'"))
    assert "(removed)" in user.refused("PATCH", path, {"metadata": {"annotations": None}})
    user.accepted("PATCH", path, {"metadata": {"annotations": {"example.com/own": "1"}, "labels": {"own": "1"}}})


def test_a_partition_claim_is_not_forged(user: Party, operator: Party) -> None:
    message = user.refused("POST", user.claims, partition_claim("aim-forged"))
    assert all(word in message for word in (f"{user.namespace}/aim-forged", "spec.podRef.name", "'chat'", OPT_IN))
    operator.accepted("POST", operator.claims, partition_claim("aim-ours"))
    path = f"{user.claims}/aim-ours"
    status, told = user.ask("PATCH", path, {"spec": {"requirement": {"memory": "9Gi"}}})
    assert (status, "the spec of a claim never changes" in told) == (422, True), told
    message = user.refused("PATCH", f"{path}/status", {"status": {"phase": "Allocated"}})
    assert all(word in message for word in ("aim-ours", "status.phase", "'Allocated'", "leave it"))


def test_a_partition_claim_stays_its_pods(user: Party, operator: Party) -> None:
    operator.accepted("POST", operator.claims, partition_claim("aim-ours"))
    path = f"{user.claims}/aim-ours"
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "mine", "uid": "u-9"}
    assert "'mine'" in user.refused("PATCH", path, {"metadata": {"ownerReferences": [owner]}})
    assert "'a.example/b'" in user.refused("PATCH", path, {"metadata": {"finalizers": ["a.example/b"]}})
    user.accepted("PATCH", path, {"metadata": {"labels": {"own": "1"}}})


def test_a_partition_claim_is_not_deleted_between_choice_and_allocation(user: Party, operator: Party) -> None:
    for name, phase in (("aim-pending", "Pending"), ("aim-bound", "Bound"), ("aim-allocated", "Allocated")):
        operator.accepted("POST", operator.claims, partition_claim(name))
        stored = operator.client.get(f"{operator.claims}/{name}")
        operator.accepted("PUT", f"{operator.claims}/{name}/status", stored | {"status": {"phase": phase}})
    message = user.refused("DELETE", f"{user.claims}/aim-bound")
    assert all(word in message for word in ("aim-bound", "status.phase", "'Bound'", "delete the pod"))
    user.accepted("DELETE", f"{user.claims}/aim-pending")
    user.accepted("DELETE", f"{user.claims}/aim-allocated")


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"name": "aim-forged"}, id="by name"),
        pytest.param({"generateName": "aim-"}, id="by a name the API server makes"),
        pytest.param(
            {
                "name": "aim-forged",
                "annotations": {"resource.kubernetes.io/pod-claim-name": "gpu"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}],
            },
            id="made up as if from a template",
        ),
    ],
)
def test_nobody_else_makes_a_resource_claim_that_looks_like_ours(user: Party, metadata: Object) -> None:
    message = user.refused("POST", user.resource_claims, resource_claim("") | {"metadata": metadata})
    assert all(word in message for word in ("metadata.name", "'aim-", "choose another name"))
    user.accepted("POST", user.resource_claims, resource_claim("own"))


def test_the_owner_of_a_resource_claim_of_ours_stays(user: Party, operator: Party) -> None:
    owner = owner_of(user, "victim")
    operator.accepted("POST", operator.resource_claims, resource_claim("aim-ours", ownerReferences=[owner]))
    path = f"{user.resource_claims}/aim-ours"
    message = user.refused("PATCH", path, {"metadata": {"ownerReferences": [owner | {"name": "mine", "uid": "u-9"}]}})
    assert all(word in message for word in ("aim-ours", "metadata.ownerReferences", "'mine'", "leave 'victim'"))
    user.refused("PATCH", path, {"metadata": {"ownerReferences": None}})


def test_a_resource_claim_is_not_hidden_from_agents(user: Party, operator: Party) -> None:
    hidden = {"aim.amd.com/pinned-node": "elsewhere"}
    message = user.refused("POST", user.resource_claims, resource_claim("own", labels=hidden))
    assert all(word in message for word in ("own", "labels[aim.amd.com/pinned-node]", "'elsewhere'", "ClaimTemplate"))
    operator.accepted("POST", operator.resource_claims, resource_claim("aim-pinned", labels=hidden))
    path = f"{user.resource_claims}/aim-pinned"
    user.refused("PATCH", path, {"metadata": {"labels": None}})
    user.accepted("PATCH", path, {"metadata": {"labels": {"mine": "x"}}})


def test_another_pods_resource_claim_is_not_named_without_gate_and_opt_in(user: Party) -> None:
    message = user.refused("POST", user.pods, pod("thief", **naming("aim-victim")))
    assert all(word in message for word in (f"{user.namespace}/thief", "spec.resourceClaims", "'aim-victim'", GATE))
    for choice in ({}, {OPT_IN: "false"}):
        message = user.refused("POST", user.pods, gated("thief", choice, **naming("aim-victim")))
        assert all(word in message for word in (OPT_IN, choice.get(OPT_IN, "''"), "'aim-victim'", "'true'"))
    status, _ = user.ask("POST", user.pods, gated("thief", {OPT_IN: "true"}, **naming("aim-victim")))
    assert status == 500, "an opted-in pod is not created without our webhook"


def test_a_priority_is_not_forged(user: Party) -> None:
    """Kubernetes' own doing: a priority comes of a PriorityClass."""
    status, message = user.ask("POST", user.pods, pod("first", priority=1_000_000))
    assert (status, "must not be provided in pod spec" in message) == (403, True), message
    user.accepted("POST", user.pods, gated("first"))
    status, message = user.ask("PATCH", f"{user.pods}/first", {"spec": {"priority": 1_000_000}})
    assert (status, "pod updates may not change fields" in message) == (422, True), message


def test_whoever_may_pause_a_node_does_not_change_its_modes(guarded: Plane, namespace: str) -> None:
    admin = Party(guarded.admin, namespace)
    name = f"guarded-{namespace}"
    path = f"{AIM}/gpunodes/{name}"
    assert name in admin.refused("POST", f"{AIM}/gpunodes", gpu_node(name, operation()))
    admin.accepted("POST", f"{AIM}/gpunodes", gpu_node(name))
    admin.accepted("PATCH", path, {"spec": {"paused": True}})
    message = admin.refused("PATCH", path, {"spec": {"operation": operation()}})
    assert all(word in message for word in (name, "spec.operation", "'op-1'", "RepartitionPlan"))
    admin.accepted("DELETE", path)


def test_whoever_may_end_a_quarantine_keeps_no_partition_for_himself(
    guarded: Plane, operator: Party, namespace: str
) -> None:
    admin = Party(guarded.admin, namespace)
    name = f"kept-{namespace}"
    path = f"{AIM}/gpunodes/{name}"
    operator.accepted("POST", f"{AIM}/gpunodes", gpu_node(name))
    admin.accepted("PATCH", path, {"spec": {"quarantine": [{"bdf": BDF, "partition": 3}]}})
    admin.accepted("PATCH", path, {"spec": {"quarantine": []}})
    mine = {"namespace": namespace, "pod": "p", "claim": "aim-p", "owner": "u-1", "node": name}
    kept = {"spec": {"reservations": [mine | {"bdf": BDF, "partition": 3, "mode": "CPX/NPS4"}]}}
    message = admin.refused("PATCH", path, kept)
    assert all(word in message for word in (name, "spec.reservations", f"{BDF}/3", "operator alone"))
    operator.accepted("PATCH", path, kept)
    admin.accepted("PATCH", path, {"spec": {"paused": True}})
    admin.refused("PATCH", path, {"spec": {"reservations": None}})
    admin.accepted("DELETE", path)


def test_a_quarantine_is_not_deleted_with_its_gpu_node_but_goes_with_the_node(
    guarded: Plane, operator: Party, namespace: str
) -> None:
    admin = Party(guarded.admin, namespace)
    name, nodes = f"out-{namespace}", "/api/v1/nodes"
    path = f"{AIM}/gpunodes/{name}"
    uid = admin.client.create(nodes, {"metadata": {"name": name}})["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
    made = gpu_node(name)
    made["metadata"]["ownerReferences"] = [owner]
    operator.accepted("POST", f"{AIM}/gpunodes", made | {"spec": {"quarantine": [{"bdf": BDF, "partition": 3}]}})
    message = admin.refused("DELETE", path)
    assert all(word in message for word in (name, "spec.quarantine", f"{BDF}/3", "take the entries out first"))
    assert name in admin.refused("DELETE", f"{AIM}/gpunodes?fieldSelector=metadata.name={name}")
    operator.accepted("DELETE", f"{path}?dryRun=All")
    admin.accepted("DELETE", f"{nodes}/{name}")
    guarded.wait_until(lambda: admin.client.find(path) is None, "it goes with its Node", 60)


# What goes on as ever.


def test_pods_that_have_nothing_to_do_with_us_are_created_changed_and_deleted(user: Party) -> None:
    user.accepted("POST", user.pods, pod("plain") | {"metadata": {"name": "plain"}})
    user.accepted("POST", user.pods, pod("out", {OPT_IN: "false"}))
    for name in ("plain", "out"):
        user.accepted("PATCH", f"{user.pods}/{name}", {"metadata": {"annotations": {"own": "1"}}})
        user.accepted("DELETE", f"{user.pods}/{name}")


def test_a_pod_called_as_our_claims_are_gets_its_claim_from_a_template(user: Party, plane: Plane) -> None:
    template = {"metadata": {"name": "any"}, "spec": {"spec": resource_claim("")["spec"]}}
    user.accepted("POST", user.templates, template)
    asking: Object = {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "any"}]}
    user.accepted("POST", user.pods, pod("aim-chat", **asking))

    def made() -> list[str]:
        return [claim["metadata"]["name"] for claim in user.client.get(user.resource_claims)["items"]]

    plane.wait_until(lambda: bool(made()), "the claim is made", 60)
    assert made()[0].startswith("aim-chat-gpu-")


def test_claims_go_with_their_pod_and_with_their_namespace(user: Party, operator: Party, plane: Plane) -> None:
    owner = owner_of(user, "held")
    claim = partition_claim("aim-held", "held", owner["uid"], ownerReferences=[owner])
    operator.accepted("POST", operator.claims, claim)
    operator.accepted("POST", operator.claims, partition_claim("aim-left"))
    for name in ("aim-held", "aim-left"):
        stored = operator.client.get(f"{operator.claims}/{name}")
        operator.accepted("PUT", f"{operator.claims}/{name}/status", stored | {"status": {"phase": "Bound"}})
    user.accepted("DELETE", f"{user.pods}/held")
    admin = plane.admin
    plane.wait_until(lambda: admin.find(f"{user.claims}/aim-held") is None, "the claim goes with its pod", 60)
    admin.delete(f"/api/v1/namespaces/{user.namespace}")
    plane.wait_until(lambda: admin.find(f"{user.claims}/aim-left") is None, "the claim goes with its namespace", 90)
