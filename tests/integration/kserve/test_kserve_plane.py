"""The real KServe on a plane: it works, under its own name and rights, and can be killed like everything else."""

import json

import pytest

from e2e.plane import AdminError, Plane
from e2e.plane.kserve import KSERVE, LLMISVC
from tests.e2e.plane.refusals import refusals
from tests.integration.kserve.services import Services, condition

pytestmark = [pytest.mark.plane, pytest.mark.kserve, pytest.mark.xdist_group("kserve")]

LLM_SERVICES = "/apis/serving.kserve.io/v1alpha2/namespaces/{}/llminferenceservices"


def test_a_service_with_a_container_of_its_own_becomes_ready(services: Services) -> None:
    ready = services.create_ready("custom")

    assert ready["metadata"]["finalizers"] == ["inferenceservice.finalizers"]
    assert services.deployment("custom")["metadata"]["ownerReferences"][0]["uid"] == ready["metadata"]["uid"]
    assert [pod["status"]["phase"] for pod in services.pods("custom")] == ["Running"]
    assert condition(ready, "PredictorReady")["status"] == "True"


def test_kserves_own_webhooks_default_and_refuse(services: Services) -> None:
    container = services.create("defaulted")["spec"]["predictor"]["containers"][0]

    assert container["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
    with pytest.raises(AdminError, match=r"inferenceservice\.kserve-webhook-server\.validator.*denied"):
        services.create("two-in-one", model={"modelFormat": {"name": "x"}})


def test_the_audit_log_tells_kserves_writes_from_ours(services: Services) -> None:
    services.create_ready("audited")

    entries = [json.loads(line) for line in services.plane.audit_log.read_text().splitlines()]
    writers = {
        (entry["objectRef"]["resource"], entry["verb"]): entry["user"]["username"]
        for entry in entries
        if entry["objectRef"].get("namespace") == services.namespace
    }
    assert writers["deployments", "create"] == "kserve-controller-manager"
    assert writers["inferenceservices", "create"] == "admin"


def test_what_a_service_owns_goes_with_it(services: Services) -> None:
    services.create_ready("short-lived")

    services.plane.admin.delete(services.path("short-lived"))

    services.until(lambda: services.plane.admin.find(services.path("short-lived")) is None, "the service is gone")
    services.until(lambda: services.pods("short-lived") == [], "its pods are gone")
    assert services.plane.admin.find(services.deployment_path("short-lived")) is None


def test_a_killed_manager_stops_everything_of_kserve_until_it_is_started_again(services: Services) -> None:
    services.create_ready("before")
    services.plane.kill(KSERVE)

    with pytest.raises(AdminError, match="failed calling webhook"):
        services.create("refused")
    services.plane.start_component(KSERVE)

    services.create_ready("after")
    services.plane.check()


def test_a_model_service_becomes_ready_and_its_annotations_reach_its_pods(services: Services) -> None:
    path = LLM_SERVICES.format(services.namespace)
    container = {"name": "main", "image": "example.com/server:1", "resources": {"limits": {"cpu": "1"}}}
    spec = {
        "model": {"uri": "hf://example/model", "name": "model"},
        "annotations": {"note.example.com/on-the-template": "yes"},
        "template": {"containers": [container]},
    }
    metadata = {"name": "llm", "annotations": {"note.example.com/on-top": "yes"}}

    kind = {"apiVersion": "serving.kserve.io/v1alpha2", "kind": "LLMInferenceService"}
    services.plane.admin.create(path, {**kind, "metadata": metadata, "spec": spec})

    services.until(
        lambda: condition(services.plane.admin.get(f"{path}/llm"), "Ready").get("status") == "True", "llm is Ready"
    )
    pods = f"/api/v1/namespaces/{services.namespace}/pods?labelSelector=app.kubernetes.io/name%3Dllm"
    (pod,) = services.plane.admin.get(pods)["items"]
    assert pod["metadata"]["labels"]["app.kubernetes.io/part-of"] == "llminferenceservice"
    assert pod["metadata"]["annotations"]["note.example.com/on-the-template"] == "yes"
    assert "note.example.com/on-top" not in pod["metadata"]["annotations"]


def test_statistics_know_both_managers(kserve_plane: Plane) -> None:
    assert {KSERVE, LLMISVC} <= set(kserve_plane.statistics.resident_bytes)


def test_kserve_was_refused_nothing(kserve_plane: Plane) -> None:
    assert refusals(kserve_plane) == []
