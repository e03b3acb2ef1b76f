from typing import Any

import pytest

from api.group import MODEL_ID, SERVICE_LABEL
from controller.reconcilers.inference_service.backend import CONTAINER, NO_SURGE
from controller.reconcilers.inference_service.kserve_backend import (
    AUTOSCALER_CLASS,
    deployment_key,
    kserve_selector_for,
    kserve_service_for,
    kserve_url_for,
    sleeps,
)
from tests.builders.inference_service import inference_service

TEMPLATE = "registry.example/{model}:1"
OWN = {"name": "kserve-container", "image": "registry.example/mine"}


def predictor_of(**spec: Any) -> dict[str, Any]:
    made: dict[str, Any] = kserve_service_for(inference_service(**spec), TEMPLATE)["spec"]["predictor"]
    return made


def annotations_of(**spec: Any) -> dict[str, str]:
    made: dict[str, str] = kserve_service_for(inference_service(**spec), TEMPLATE)["metadata"]["annotations"]
    return made


def test_it_is_kserves_kind_under_our_name_label_and_ownership() -> None:
    made = kserve_service_for(inference_service())
    metadata = made["metadata"]
    assert (made["apiVersion"], made["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert (metadata["name"], metadata["namespace"], metadata["labels"]) == ("chat", "team-a", {SERVICE_LABEL: "chat"})
    assert [(owner["apiVersion"], owner["uid"]) for owner in metadata["ownerReferences"]] == [
        ("aim.amd.com/v1beta1", "uid-chat")
    ]


def test_the_opt_in_and_the_mode_of_deployments_stand_on_it() -> None:
    found = annotations_of()
    assert found[MODEL_ID] == "Qwen/Qwen3-4B"
    assert found["serving.kserve.io/deploymentMode"] == "Standard"


@pytest.mark.parametrize(
    ("spec", "want_class", "want_least", "want_most"),
    [
        pytest.param({"replicas": 3}, "none", 3, 3, id="so many, and no autoscaler"),
        pytest.param({"replicas": 2, "maxReplicas": 5}, None, 2, 5, id="an autoscaler between two numbers"),
        pytest.param({"replicas": 2, "maxReplicas": 2}, None, 2, 2, id="an autoscaler that may do nothing"),
        pytest.param({"replicas": 0}, "none", 0, 1, id="none at all"),
        pytest.param({"replicas": 0, "maxReplicas": 5}, "none", 0, 1, id="none at all, though it might scale"),
    ],
)
def test_how_many_pods(spec: dict[str, int], want_class: str | None, want_least: int, want_most: int) -> None:
    assert annotations_of(**spec).get(AUTOSCALER_CLASS) == want_class
    predictor = predictor_of(**spec)
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (want_least, want_most)


@pytest.mark.parametrize("predictor", [None, {}, {"serviceAccountName": "mine"}])
def test_a_predictor_that_runs_nothing_gets_the_catalogues_container(predictor: dict[str, Any] | None) -> None:
    made = predictor_of(predictor=predictor)
    (container,) = made["containers"]
    assert (container["name"], container["image"]) == (CONTAINER, "registry.example/qwen-qwen3-4b:1")
    assert made.get("serviceAccountName") == (predictor or {}).get("serviceAccountName")


@pytest.mark.parametrize(
    "predictor",
    [
        pytest.param({"containers": [OWN]}, id="containers"),
        pytest.param({"model": {"modelFormat": {"name": "vllm"}, "runtime": "aim"}}, id="a model with its runtime"),
        pytest.param({"huggingface": {"storageUri": "hf://Qwen/Qwen3-4B"}}, id="a format of its own"),
    ],
)
def test_a_predictor_is_passed_on(predictor: dict[str, Any]) -> None:
    made = predictor_of(predictor=predictor)
    assert predictor.items() <= made.items()
    assert ("containers" in made) == ("containers" in predictor)


def test_a_rollout_needs_no_spare_partition_unless_the_user_wants_it_so() -> None:
    assert predictor_of()["deploymentStrategy"] == NO_SURGE
    own = {"type": "Recreate"}
    assert predictor_of(predictor={"deploymentStrategy": own})["deploymentStrategy"] == own


def test_what_would_lead_pods_away_from_the_service_is_not_passed_on() -> None:
    ours = {"aim.amd.com/gpu-sharing": "false", "aim.amd.com/inference-service": "other"}
    given = {"name": "v2", "minReplicas": 9, "maxReplicas": 9, "labels": ours | {"a": "b"}, "annotations": ours}
    made = predictor_of(predictor=given)
    assert (made["minReplicas"], made["maxReplicas"]) == (1, 1)
    assert "name" not in made
    assert (made["labels"], made["annotations"]) == ({"a": "b"}, {})


def test_the_users_object_is_not_changed() -> None:
    service = inference_service(predictor={"labels": {"aim.amd.com/model-id": "x"}})
    kserve_service_for(service)
    assert service.spec.predictor == {"labels": {"aim.amd.com/model-id": "x"}}


def test_names_by_which_things_of_kserves_are_found() -> None:
    assert deployment_key("team-a/chat") == "team-a/chat-predictor"
    assert kserve_selector_for(inference_service()) == "serving.kserve.io/inferenceservice=chat"


@pytest.mark.parametrize(
    ("made", "want"),
    [
        pytest.param(None, "http://chat-predictor.team-a.svc", id="nothing there yet"),
        pytest.param({"status": {}}, "http://chat-predictor.team-a.svc", id="no word of KServe yet"),
        pytest.param({"status": {"address": {"url": "http://x.svc"}}}, "http://x.svc", id="what KServe says"),
    ],
)
def test_where_requests_go(made: dict[str, Any] | None, want: str) -> None:
    assert kserve_url_for(inference_service(), made) == want


@pytest.mark.parametrize(
    ("spec", "stands_at", "want"),
    [
        pytest.param({"replicas": 1, "maxReplicas": 3}, 0, True, id="an autoscaler would leave it at none"),
        pytest.param({"replicas": 1, "maxReplicas": 3}, 2, False, id="the autoscaler has it"),
        pytest.param({"replicas": 0, "maxReplicas": 3}, 0, False, id="none are wanted"),
        pytest.param({"replicas": 1}, 0, False, id="without an autoscaler KServe sets the number"),
    ],
)
def test_whether_pods_have_to_be_woken(spec: dict[str, Any], stands_at: int, want: bool) -> None:
    assert sleeps(inference_service(**spec), {"spec": {"replicas": stands_at}}) is want
    assert not sleeps(inference_service(**spec), None)
