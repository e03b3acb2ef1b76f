from typing import Any

import pytest

from api.group import (
    GPU_SHARING,
    ISOLATION,
    MAX_CONCURRENCY,
    MAX_MODEL_LEN,
    MODEL_ID,
    MODEL_PROFILE,
    PARTITION_COUNT,
    PARTITION_MIN_MEMORY,
    PARTITION_MODE,
    POLICY,
    PRECISION,
    SERVICE_LABEL,
    SHARE_GROUP,
)
from controller.reconcilers.inference_service.backend import (
    CONTAINER,
    PORT,
    annotations_for,
    deployment_for,
    image_for,
    pod_spec,
    service_for,
    url_for,
)
from tests.builders.inference_service import inference_service

TEMPLATE = "registry.example/{model}:1"
OWN = {"name": "mine", "image": "registry.example/mine", "ports": [{"containerPort": 9000}]}


@pytest.mark.parametrize(
    ("model_id", "want"),
    [
        pytest.param("Qwen/Qwen3-32B", "qwen-qwen3-32b", id="owner and name"),
        pytest.param("meta-llama/Llama-3.1-8B_Instruct", "meta-llama-llama-3-1-8b-instruct", id="dots and underscores"),
        pytest.param("a//b-", "a-b", id="no doubled or trailing dash"),
    ],
)
def test_the_image_of_a_model(model_id: str, want: str) -> None:
    assert image_for(model_id, TEMPLATE) == f"registry.example/{want}:1"


def test_the_least_opt_in_leaves_out_what_was_not_asked() -> None:
    assert annotations_for(inference_service()) == {
        GPU_SHARING: "true",
        MODEL_ID: "Qwen/Qwen3-4B",
        PRECISION: "auto",
        ISOLATION: "hardware",
        PARTITION_COUNT: "1",
    }


def test_every_wish_of_the_service_is_in_the_opt_in() -> None:
    service = inference_service(
        model={"precision": "fp8", "maxModelLen": 4096, "maxConcurrency": 3, "profileRef": "mine"},
        gpuSharing={
            "partition": {"mode": "CPX/NPS4", "minMemory": "20Gi"},
            "isolation": "cooperative",
            "shareGroup": "chat",
            "policyRef": "shared",
        },
        qos={"class": "premium"},
    )
    assert annotations_for(service) == {
        GPU_SHARING: "true",
        MODEL_ID: "Qwen/Qwen3-4B",
        PRECISION: "fp8",
        MODEL_PROFILE: "mine",
        ISOLATION: "cooperative",
        MAX_MODEL_LEN: "4096",
        MAX_CONCURRENCY: "3",
        PARTITION_MODE: "CPX/NPS4",
        PARTITION_COUNT: "1",
        PARTITION_MIN_MEMORY: "20Gi",
        SHARE_GROUP: "chat",
        POLICY: "shared",
    }


def test_another_class_of_requests_needs_no_new_pods() -> None:
    before, after = inference_service(qos={"class": "batch"}), inference_service(qos={"class": "realtime"})
    assert deployment_for(before) == deployment_for(after)


def test_without_a_predictor_one_container_of_the_catalogue_runs() -> None:
    (container,) = pod_spec(inference_service(), TEMPLATE)["containers"]
    assert (container["name"], container["image"]) == (CONTAINER, "registry.example/qwen-qwen3-4b:1")
    assert container["ports"][0]["containerPort"] == PORT


def test_a_predictors_containers_run_without_what_is_kserves_own() -> None:
    predictor = {"containers": [OWN], "serviceAccountName": "mine", "minReplicas": 1, "maxReplicas": 4}
    service = inference_service(predictor=predictor)
    assert pod_spec(service, TEMPLATE) == {"containers": [OWN], "serviceAccountName": "mine"}


def test_a_deployment_never_surges_and_belongs_to_the_service() -> None:
    made = deployment_for(inference_service(replicas=3), TEMPLATE)
    assert made["spec"]["replicas"] == 3
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("InferenceService", "uid-chat", True)


def test_selectors_of_deployment_and_service_find_the_pods() -> None:
    deployment, service = deployment_for(inference_service()), service_for(inference_service())
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == {SERVICE_LABEL: "chat"}
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels


@pytest.mark.parametrize(
    ("predictor", "want"),
    [
        pytest.param(None, PORT, id="no predictor"),
        pytest.param({"containers": [OWN]}, 9000, id="the container's own port"),
        pytest.param({"containers": [{"name": "side"}, OWN]}, 9000, id="the first port of any container"),
        pytest.param({"containers": [{"name": "mine"}]}, PORT, id="a container that names no port"),
    ],
)
def test_the_port_that_requests_go_to(predictor: dict[str, Any] | None, want: int) -> None:
    (port,) = service_for(inference_service(predictor=predictor))["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, want)


def test_the_url_is_that_of_the_service() -> None:
    assert url_for(inference_service()) == "http://chat.team-a.svc"
