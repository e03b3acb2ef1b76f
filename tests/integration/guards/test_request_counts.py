"""Who may write what the gateway counted: the gateway, shard by shard, and nobody else; and the gateway nothing else."""

from typing import Any

import pytest

from e2e.plane import Plane
from e2e.plane.admin import APPLY_PATCH
from tests.integration.guards.conftest import AIM, REFUSED, Object, Party, make_user

pytestmark = pytest.mark.plane

GATEWAY = "system:serviceaccount:aim-gpu-gateway:aim-gpu-gateway"
COUNTS: Object = {
    "shard": 3,
    "time": "2026-03-01T12:00:00Z",
    "objectives": [{"metric": "queueWait", "threshold": "1000ms", "counts": "60@4=5-1"}],
}
BACKEND = {"status": {"backend": "deployment", "replicas": 0}}


@pytest.fixture
def path(guarded: Plane, namespace: str) -> str:
    """A service of the namespace, with a status."""
    services = f"{AIM}/namespaces/{namespace}/inferenceservices"
    made = {"apiVersion": "aim.amd.com/v1beta1", "kind": "InferenceService", "metadata": {"name": "chat"}}
    guarded.admin.create(services, made | {"spec": {"model": {"id": "Qwen/Qwen3-4B"}}})
    guarded.admin.patch(f"{services}/chat/status", BACKEND)
    forged = {"status": {"requestCounts": [COUNTS]}}

    def bites() -> bool:
        admin = Party(guarded.admin, namespace)
        return admin.ask("PATCH", f"{services}/chat/status?dryRun=All", forged)[0] == REFUSED

    guarded.wait_until(bites, "the guard of counts bites")
    return f"{services}/chat"


@pytest.fixture
def gateway(guarded: Plane, namespace: str) -> Party:
    """The gateway's identity, with every right that anybody could give it."""
    return Party(guarded.admin.acting_as(GATEWAY), namespace)


@pytest.fixture
def tenant(guarded: Plane, namespace: str) -> Party:
    """A user of the namespace who may even write statuses, as some cluster's own role for administrators lets them."""
    user = make_user(guarded, namespace)
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": ["aim.amd.com"], "resources": ["inferenceservices/status"], "verbs": ["*"]}
    guarded.admin.create(f"{rbac}/roles", {"metadata": {"name": "statuses"}, "rules": [rule]})
    everybody = {
        "kind": "Group",
        "name": f"system:serviceaccounts:{namespace}",
        "apiGroup": "rbac.authorization.k8s.io",
    }
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "statuses"}
    bound = {"metadata": {"name": "statuses"}, "roleRef": role, "subjects": [everybody]}
    guarded.admin.create(f"{rbac}/rolebindings", bound)
    services = f"{AIM}/namespaces/{namespace}/inferenceservices"

    def may() -> bool:
        return user.ask("PATCH", f"{services}/nobody/status", {"status": {}})[0] == 404

    guarded.wait_until(may, "the right to write statuses counts")
    return user


def applied(party: Party, path: str, *counts: Object, manager: str, **status: Any) -> tuple[int, str]:
    name = path.rpartition("/")[2]
    wanted = {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "status": {"requestCounts": list(counts), **status},
    }
    return party.ask("PATCH", f"{path}/status?fieldManager={manager}&force=true", wanted, APPLY_PATCH)


def stored(party: Party, path: str) -> list[Object]:
    found: list[Object] = party.client.get(path)["status"].get("requestCounts", [])
    return found


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"status": {"requestCounts": [COUNTS]}}, id="merge patch"),
        pytest.param([{"op": "add", "path": "/status/requestCounts", "value": [COUNTS]}], id="JSON patch"),
    ],
)
def test_a_user_cannot_forge_counts(tenant: Party, path: str, patch: Any) -> None:
    message = tenant.refused("PATCH", f"{path}/status", patch)
    assert all(
        word in message for word in (tenant.namespace, "status.requestCounts", "shard 3", "by the gateway alone")
    )
    assert stored(tenant, path) == []


def test_a_user_can_neither_change_nor_take_away_what_was_counted(tenant: Party, gateway: Party, path: str) -> None:
    assert applied(gateway, path, COUNTS, manager="aim-gpu-gateway-3")[0] == 200
    forged = COUNTS | {"objectives": []}
    for counts in ([], None, [forged], [COUNTS, COUNTS | {"shard": 4}]):
        tenant.refused("PATCH", f"{path}/status", {"status": {"requestCounts": counts}})
    whole = tenant.client.get(path)
    tenant.refused("PUT", f"{path}/status", whole | {"status": whole["status"] | {"requestCounts": [forged]}})
    assert applied(tenant, path, forged, manager="aim-gpu-gateway-3")[0] == 422
    assert stored(tenant, path) == [COUNTS]


def test_beside_a_status_nobody_can_slip_counts_in(tenant: Party, path: str) -> None:
    """Neither a new object nor the spec's own path takes a status along."""
    services = path.rpartition("/")[0]
    made = tenant.client.get(path)
    forged = {"status": {"requestCounts": [COUNTS]}}
    another = {
        "apiVersion": made["apiVersion"],
        "kind": made["kind"],
        "metadata": {"name": "forged"},
        "spec": made["spec"],
    }
    tenant.accepted("POST", services, another | forged)
    tenant.accepted("PATCH", path, forged | {"spec": {"replicas": 2}})
    assert stored(tenant, path) == []
    assert "requestCounts" not in tenant.client.get(f"{services}/forged").get("status", {})


def test_administrators_leave_counts_alone_too(guarded: Plane, namespace: str, path: str) -> None:
    Party(guarded.admin, namespace).refused("PATCH", f"{path}/status", {"status": {"requestCounts": [COUNTS]}})


def test_each_shard_keeps_the_others_counts(gateway: Party, path: str) -> None:
    later = COUNTS | {"time": "2026-03-01T12:01:00Z"}
    other = COUNTS | {"shard": 5}
    assert applied(gateway, path, COUNTS, manager="aim-gpu-gateway-3")[0] == 200
    assert applied(gateway, path, other, manager="aim-gpu-gateway-5")[0] == 200
    assert applied(gateway, path, later, manager="aim-gpu-gateway-3")[0] == 200
    assert sorted(stored(gateway, path), key=lambda one: one["shard"]) == [later, other]
    assert gateway.client.get(path)["status"]["backend"] == "deployment"


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"replicas": 7}, id="the number of pods"),
        pytest.param({"resizeRequest": {"reason": "ErrorBudgetBurns", "wantComputeUnits": 304}}, id="a wish"),
        pytest.param({"slo": []}, id="objectives"),
        pytest.param({"url": "http://elsewhere"}, id="an address"),
    ],
)
def test_the_gateway_writes_nothing_else(gateway: Party, path: str, status: Object) -> None:
    code, message = applied(gateway, path, COUNTS, manager="aim-gpu-gateway-3", **status)
    assert (code, "writes requestCounts and nothing else" in message) == (422, True), message
    gateway.refused("PATCH", f"{path}/status", {"status": status})
    assert stored(gateway, path) == []
    assert gateway.client.get(path)["status"] == BACKEND["status"]
