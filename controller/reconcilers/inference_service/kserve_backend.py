"""What runs an InferenceService where KServe is: an InferenceService of KServe's under the same name. Pure.

KServe makes a Deployment `<name>-predictor` and a Service of it. Our label and the opt-in stand on KServe's object, and
KServe copies both to the pods.
"""

from collections.abc import Mapping
from typing import Any

from api.group import GROUP
from api.v1beta1 import InferenceService
from controller.reconcilers.inference_service.backend import (
    DEFAULT_IMAGE,
    NO_SURGE,
    Json,
    annotations_for,
    default_container,
    metadata_for,
)
from controller.state.kinds import KSERVE_SERVICES
from controller.state.kserve import POD_LABEL
from controller.translate.predictor import IMPLEMENTATIONS

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"

#: A predictor's name would rename the Deployment, by which we know it.
_NOT_PASSED = frozenset({"name", "minReplicas", "maxReplicas"})
_NO_TEMPLATE = frozenset({"minReplicas", "maxReplicas", "deploymentStrategy"})


def kserve_service_for(
    service: InferenceService, image_template: str = DEFAULT_IMAGE, strategy: Mapping[str, Any] = NO_SURGE
) -> Json:
    """KServe's InferenceService.

    Without maxReplicas no autoscaler is made: with one the Deployment would start with a single pod, and the
    autoscaler fight over the number that users set on our object. 0 replicas never have one: it would start a pod.
    """
    replicas, most = service.spec.replicas, service.spec.max_replicas
    scales = most is not None and replicas > 0
    annotations = annotations_for(service) | {DEPLOYMENT_MODE: "Standard"}
    return {
        "apiVersion": KSERVE_SERVICES.api_version,
        "kind": KSERVE_SERVICES.kind,
        "metadata": metadata_for(service)
        | {"annotations": annotations | ({} if scales else {AUTOSCALER_CLASS: "none"})},
        "spec": {
            "predictor": {"deploymentStrategy": dict(strategy)}
            | _predictor(service, image_template)
            | {"minReplicas": replicas, "maxReplicas": most if most is not None and scales else max(replicas, 1)}
        },
    }


def _predictor(service: InferenceService, image_template: str) -> Json:
    """The user's predictor, with a container where it says nothing of what runs."""
    given = service.spec.predictor or {}
    predictor = {key: value for key, value in given.items() if key not in _NOT_PASSED}
    for place in ("annotations", "labels"):
        if place in predictor:
            # KServe prefers these to those of the service, and ours are the service's to say.
            predictor[place] = _foreign(predictor[place] or {})
    if not predictor.get("containers") and not IMPLEMENTATIONS & predictor.keys():
        predictor["containers"] = [default_container(service, image_template)]
    return predictor


def template_for(made: Json) -> Json:
    """What of KServe's object the pods are made from, other than their number and the way they are replaced."""
    predictor = {key: value for key, value in made["spec"]["predictor"].items() if key not in _NO_TEMPLATE}
    return {"annotations": made["metadata"]["annotations"], "predictor": predictor}


def _foreign(given: Mapping[str, Any]) -> Json:
    return {key: value for key, value in given.items() if not key.startswith(f"{GROUP}/")}


def deployment_key(service_key: str) -> str:
    """The store key of the Deployment that KServe makes for a service."""
    return f"{service_key}-predictor"


def sleeps(service: InferenceService, deployment: Mapping[str, Any] | None) -> bool:
    """Whether pods are wanted, an autoscaler is to look after them, and the Deployment still stands at none."""
    spec = service.spec
    scales = spec.max_replicas is not None and spec.replicas > 0
    return scales and deployment is not None and (deployment.get("spec") or {}).get("replicas") == 0


def kserve_selector_for(service: InferenceService) -> str:
    """What selects the pods, as text."""
    return f"{POD_LABEL}={service.metadata.name}"


def kserve_url_for(service: InferenceService, made: Mapping[str, Any] | None) -> str:
    """Where requests go inside the cluster: what KServe says, until then the predictor's Service."""
    told = (((made or {}).get("status") or {}).get("address") or {}).get("url")
    return str(told or f"http://{service.metadata.name}-predictor.{service.metadata.namespace}.svc")
