"""fp8 of a model without a copy: the engine is told to make it, whichever way the pod gets its arguments."""

import json
from typing import Any

import pytest

from api.group import ENGINE_ARGS, MODEL_ID, PRECISION, SERVICE_LABEL
from api.object import dump
from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim.pinning import assignment
from controller.runtime.client.core import PODS
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.translate.pod import PodView, pod_view
from tests.builders.claim import bound_claim
from tests.builders.inference_service import inference_service
from tests.builders.pod import OPTED_IN, pod
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator

SMALL = "mistralai/Mistral-7B-v0.1"
LARGE = "allenai/OLMo-2-0325-32B-Instruct"
NAMED: dict[str, Any] = {
    "predictor": {"containers": [{"name": "main", "env": [{"name": "AIM_MODEL_ID", "value": "a/b"}]}]}
}


def asking(api: InMemoryApi, model: str, precision: str = "fp8", **metadata: Any) -> PodView:
    asked = OPTED_IN | {MODEL_ID: model, PRECISION: precision}
    return pod_view(typed(api.put(PODS, pod(annotations=asked, metadata=metadata)), Pod))


def told(operator: Operator, view: PodView) -> dict[str, Any]:
    """On a partition of 24 GiB."""
    claim = GPUPartitionClaim.model_validate(bound_claim())
    arguments: dict[str, Any] = json.loads(assignment(operator.context, claim, view)[ENGINE_ARGS])
    return arguments


@pytest.mark.parametrize("model", [SMALL, LARGE], ids=["a place that holds it", "a place that is too small by now"])
@pytest.mark.parametrize("labels", [{}, {SERVICE_LABEL: "chat"}], ids=["an annotated pod", "a pod of a service"])
def test_fp8_without_a_copy_is_made_by_the_engine(
    api: InMemoryApi, operator: Operator, model: str, labels: dict[str, str]
) -> None:
    operator.fed.put(operator.cluster.services, dump(inference_service(model={"id": model, "precision": "fp8"})))
    assert told(operator, asking(api, model, labels=labels))["quantization"] == "fp8"


@pytest.mark.parametrize("model", [SMALL, LARGE], ids=["a place that holds it", "a place that is too small by now"])
def test_a_container_that_names_its_checkpoint_is_not_told_to(api: InMemoryApi, operator: Operator, model: str) -> None:
    service = inference_service(model={"id": model, "precision": "fp8"}, **NAMED)
    operator.fed.put(operator.cluster.services, dump(service))
    assert "quantization" not in told(operator, asking(api, model, labels={SERVICE_LABEL: "chat"}))


@pytest.mark.parametrize(
    ("model", "precision"), [(SMALL, "bf16"), (LARGE, "int8"), ("no/such", "fp8")], ids=["bf16", "int8", "unknown"]
)
def test_nothing_else_is_quantized(api: InMemoryApi, operator: Operator, model: str, precision: str) -> None:
    assert "quantization" not in told(operator, asking(api, model, precision))
