"""What runs an InferenceService without KServe: a Deployment that never surges, and a Service. Pure."""

import re
from collections.abc import Mapping
from typing import Any

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
from api.v1beta1 import InferenceService
from controller.translate.predictor import IMPLEMENTATIONS

#: AIM containers listen here (AIM_PORT's default).
PORT = 8000
CONTAINER = "kserve-container"
#: Images of AMD's catalogue, by model id in lower case with dashes.
DEFAULT_IMAGE = "docker.io/amdenterpriseai/aim-{model}:0.13.0"

Json = dict[str, Any]

#: A surge pod would wait for a partition that its predecessor holds.
NO_SURGE: Json = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def image_for(model_id: str, template: str = DEFAULT_IMAGE) -> str:
    """The catalogue's image of a model: `Qwen/Qwen3-32B` -> `.../aim-qwen-qwen3-32b:...`."""
    return template.format(model=re.sub(r"[^a-z0-9]+", "-", model_id.lower()).strip("-"))


def annotations_for(service: InferenceService) -> dict[str, str]:
    """The opt-in that the pod webhook and the claim flow read.

    Without the class of requests: it is the service's own to say and may change without new pods. The number of
    partitions is always said: pods of a revision keep to it while the service asks for another already.
    """
    spec, sharing = service.spec, service.spec.gpu_sharing
    optional = {
        MODEL_PROFILE: spec.model.profile_ref,
        MAX_MODEL_LEN: spec.model.max_model_len,
        MAX_CONCURRENCY: spec.model.max_concurrency,
        PARTITION_MODE: sharing.partition.mode,
        PARTITION_MIN_MEMORY: sharing.partition.min_memory,
        SHARE_GROUP: sharing.share_group,
        POLICY: sharing.policy_ref,
    }
    return {
        GPU_SHARING: "true",
        MODEL_ID: spec.model.id,
        PRECISION: spec.model.precision.value,
        ISOLATION: sharing.isolation.value,
        PARTITION_COUNT: str(sharing.partition.count),
        **{key: str(value) for key, value in optional.items() if value is not None},
    }


#: Everything that KServe adds to a pod spec.
EXTENSIONS = IMPLEMENTATIONS | {
    "annotations",
    "autoScaling",
    "batcher",
    "canaryTrafficPercent",
    "containerConcurrency",
    "deploymentStrategy",
    "labels",
    "logger",
    "maxReplicas",
    "minReplicas",
    "name",
    "scaleMetric",
    "scaleMetricType",
    "scaleTarget",
    "storageContainerName",
    "storageUris",
    "timeout",
    "workerSpec",
}


def pod_spec(service: InferenceService, image_template: str) -> Json:
    """The pod spec: the predictor's own containers, else one container with the catalogue's image."""
    predictor = service.spec.predictor or {}
    if predictor.get("containers"):
        # A Deployment would refuse what is KServe's own.
        return {key: value for key, value in predictor.items() if key not in EXTENSIONS}
    return {"containers": [default_container(service, image_template)]}


def default_container(service: InferenceService, image_template: str) -> Json:
    """What runs when the predictor does not say: the catalogue's image of the model."""
    return {
        "name": CONTAINER,
        "image": image_for(service.spec.model.id, image_template),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}},
    }


def _owner(service: InferenceService) -> Json:
    return {
        "apiVersion": service.api_version,
        "kind": service.kind,
        "name": service.metadata.name,
        "uid": service.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def metadata_for(service: InferenceService) -> Json:
    """Name, namespace, label and owner of an object that is made for the service under the service's own name."""
    return {
        "name": service.metadata.name,
        "namespace": service.metadata.namespace,
        "labels": {SERVICE_LABEL: service.metadata.name},
        "ownerReferences": [_owner(service)],
    }


def deployment_for(
    service: InferenceService, image_template: str = DEFAULT_IMAGE, strategy: Mapping[str, Any] = NO_SURGE
) -> Json:
    """The Deployment."""
    labels = {SERVICE_LABEL: service.metadata.name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata_for(service),
        "spec": {
            "replicas": service.spec.replicas,
            "selector": {"matchLabels": labels},
            "strategy": dict(strategy),
            "template": {
                "metadata": {"labels": labels, "annotations": annotations_for(service)},
                "spec": pod_spec(service, image_template),
            },
        },
    }


def service_for(service: InferenceService) -> Json:
    """The Service before the pods: port 80 to the container's."""
    target = next(
        (
            port["containerPort"]
            for container in (service.spec.predictor or {}).get("containers", ())
            for port in container.get("ports", ())
            if "containerPort" in port
        ),
        PORT,
    )
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata_for(service),
        "spec": {
            "selector": {SERVICE_LABEL: service.metadata.name},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": target}],
        },
    }


def selector_for(service: InferenceService) -> str:
    """What selects the pods, as text."""
    return f"{SERVICE_LABEL}={service.metadata.name}"


def url_for(service: InferenceService) -> str:
    """Where requests go inside the cluster."""
    return f"http://{service.metadata.name}.{service.metadata.namespace}.svc"
