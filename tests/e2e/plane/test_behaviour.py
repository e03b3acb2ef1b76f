"""What a plane does for those who use it: scheduling, simulated pods, dynamic allocation, garbage collection, RBAC."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Admin, AdminError, Plane, add_nodes, remove_nodes, service_account_token
from tests.e2e.plane.refusals import refusals
from tests.e2e.plane.workloads import Object, deployment, pinned_claim, pod, widget

pytestmark = [pytest.mark.plane, pytest.mark.usefixtures("node", "refused_before")]

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def refused_before(plane: Plane) -> Counter[str]:
    """What was refused before: others may have ended the API server, which then refuses until it has read the roles."""
    return Counter(refusals(plane))


@pytest.fixture(scope="module")
def node(plane: Plane) -> Iterator[str]:
    add_nodes(plane, ["behaviour-0"])
    yield "behaviour-0"
    remove_nodes(plane, ["behaviour-0"])


@pytest.fixture
def pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def phase(plane: Plane, path: str) -> Any:
    found = plane.admin.find(path)
    return found["status"]["phase"] if found else None


def wait_for_phase(plane: Plane, path: str, want: str | None) -> None:
    plane.wait_until(lambda: phase(plane, path) == want, f"{path} is {want}", 20)


def scheduled_condition(plane: Plane, path: str) -> Object:
    conditions = plane.admin.get(path)["status"].get("conditions", [])
    return next((entry for entry in conditions if entry["type"] == "PodScheduled"), {})


def test_a_deployment_becomes_ready_and_its_pods_go_with_it(plane: Plane, namespace: str, pods: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    plane.admin.create(path, deployment("web", 3))

    plane.wait_until(lambda: plane.admin.get(f"{path}/web")["status"].get("readyReplicas") == 3, "3 ready", 20)
    plane.admin.delete(f"{path}/web")

    plane.wait_until(lambda: plane.admin.get(pods)["items"] == [], "no pods are left", 20)


@pytest.mark.parametrize(("code", "want"), [("0", "Succeeded"), ("3", "Failed")], ids=["succeeds", "fails"])
def test_a_pod_ends_as_its_annotation_says(code: str, want: str, plane: Plane, pods: str) -> None:
    plane.admin.create(pods, pod("task", restartPolicy="Never"))
    wait_for_phase(plane, f"{pods}/task", "Running")

    plane.admin.patch(f"{pods}/task", {"metadata": {"annotations": {"plane.aim.amd.com/exit-code": code}}})

    wait_for_phase(plane, f"{pods}/task", want)
    terminated = plane.admin.get(f"{pods}/task")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert terminated["exitCode"] == int(code)


def test_a_job_completes(plane: Plane, namespace: str) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    template = {"spec": pod("job", restartPolicy="Never")["spec"]}
    plane.admin.create(path, {"metadata": {"name": "job"}, "spec": {"template": template}})

    plane.wait_until(lambda: plane.admin.get(f"{path}/job")["status"].get("succeeded") == 1, "the job is done", 20)


def test_a_gated_pod_waits_for_its_gate_to_go(plane: Plane, pods: str) -> None:
    plane.admin.create(pods, pod("gated", schedulingGates=[{"name": "test.aim.amd.com/gate"}]))
    wait = f"{pods}/gated"
    plane.wait_until(lambda: scheduled_condition(plane, wait).get("reason") == "SchedulingGated", "the gate is seen")
    plane.admin.create(pods, pod("free"))
    wait_for_phase(plane, f"{pods}/free", "Running")
    assert "nodeName" not in plane.admin.get(wait)["spec"]

    plane.admin.patch(wait, [{"op": "remove", "path": "/spec/schedulingGates/0"}])

    wait_for_phase(plane, wait, "Running")


def test_the_scheduler_allocates_exactly_the_pinned_device(plane: Plane, namespace: str, pods: str) -> None:
    claims = f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims"
    plane.admin.apply_files([DATA / "devices.yaml"])
    plane.admin.create(claims, pinned_claim("one", 1))
    plane.admin.create(pods, pod("user", resourceClaims=[{"name": "device", "resourceClaimName": "one"}]))

    wait_for_phase(plane, f"{pods}/user", "Running")

    status = plane.admin.get(f"{claims}/one")["status"]
    assert [result["device"] for result in status["allocation"]["devices"]["results"]] == ["one"]
    assert [entry["name"] for entry in status["reservedFor"]] == ["user"]
    plane.admin.delete(f"{pods}/user")
    plane.wait_until(
        lambda: not plane.admin.get(f"{claims}/one")["status"].get("reservedFor"), "the reservation ends", 20
    )


def test_kubectl_works_with_the_plane(plane: Plane, node: str) -> None:
    kubectl = Path(sys.executable).with_name("kubectl")
    told = subprocess.run(
        [kubectl, "--kubeconfig", plane.kubeconfig, "get", "nodes"], capture_output=True, text=True, check=True
    )

    assert node in told.stdout
    assert "kwok-0.8.0" in told.stdout


def test_a_service_account_has_only_the_rights_it_was_given(plane: Plane, namespace: str, pods: str) -> None:
    token = service_account_token(plane, namespace, "default")
    account = Admin(plane.server, plane.ca, token)

    with pytest.raises(AdminError, match="cannot list resource") as refused:
        account.get(pods)

    assert refused.value.status == 403
    assert plane.kubeconfig_for(token, "someone").stat().st_mode & 0o077 == 0


def test_a_node_bound_token_names_its_node(plane: Plane, namespace: str, node: str) -> None:
    token = service_account_token(plane, namespace, "default", bound_node=node)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}

    user = plane.admin.create("/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]["user"]

    assert user["username"] == f"system:serviceaccount:{namespace}:default"
    assert user["extra"]["authentication.kubernetes.io/node-name"] == [node]


def test_nobody_without_a_token_is_let_in(plane: Plane) -> None:
    assert Admin(plane.server, plane.ca, "wrong").raw("GET", "/api/v1/nodes")[0] == 401


def test_the_audit_log_tells_who_wrote_what(plane: Plane, pods: str) -> None:
    plane.admin.create(pods, pod("audited"))
    wait_for_phase(plane, f"{pods}/audited", "Running")

    entries = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
    mine = [entry for entry in entries if entry["requestURI"].startswith(pods) and entry["verb"] != "delete"]

    writers = {(entry["user"]["username"], entry["objectRef"].get("subresource", "")) for entry in mine}
    assert {("admin", ""), ("system:kube-scheduler", "binding"), ("kwok-controller", "status")} <= writers
    created = next(entry for entry in mine if entry["verb"] == "create" and "subresource" not in entry["objectRef"])
    assert created["requestObject"]["metadata"]["name"] == "audited"


def test_custom_objects_are_collected_with_their_owners() -> None:
    with Plane(manifests=[DATA / "widgets.yaml"]) as plane:
        path = "/apis/test.aim.amd.com/v1/namespaces/default/widgets"
        config_maps = "/api/v1/namespaces/default/configmaps"
        owner = plane.admin.create(path, widget("owner"))
        owned = plane.admin.create(path, widget("owned", owner))
        metadata = {"name": "leaf", "ownerReferences": widget("", owned)["metadata"]["ownerReferences"]}
        plane.admin.create(config_maps, {"metadata": metadata})

        plane.admin.delete(f"{path}/owner")

        plane.wait_until(lambda: plane.admin.find(f"{config_maps}/leaf") is None, "the last one is collected", 20)
        assert plane.admin.get(path)["items"] == []
        assert refusals(plane) == []


def test_the_controllers_were_refused_nothing(plane: Plane, refused_before: Counter[str]) -> None:
    assert Counter(refusals(plane)) - refused_before == Counter()
