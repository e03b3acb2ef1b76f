"""What an object that says the least means."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.group import API_VERSION
from api.object import KubernetesObject
from api.openapi.kind import KINDS
from api.v1beta1 import GPUNode, GPUPartitionClaim, GPUSharingPolicy, InferenceService
from api.v1beta1.inference_service import Model, SizingResult
from api.v1beta1.precision import Precision, ResolvedPrecision
from controller.sizing.precision import Precision as SizingPrecision
from controller.sizing.requirement import DEFAULT_CONCURRENCY, DEFAULT_MODEL_LEN

CLAIM = {"spec": {"podRef": {"name": "chat-0", "uid": "u-1"}, "requirement": {"memory": "24Gi"}}}


def test_a_service_needs_a_model_only() -> None:
    spec = InferenceService.model_validate({"spec": {"model": {"id": "Qwen/Qwen3-8B"}}}).spec
    assert (spec.replicas, spec.model.precision, spec.gpu_sharing.partition.count) == (1, Precision.AUTO, 1)
    assert (spec.gpu_sharing.isolation, spec.qos.class_, spec.predictor) == ("hardware", None, None)


def test_a_policy_repartitions_nothing_unless_told_to() -> None:
    spec = GPUSharingPolicy.model_validate({"metadata": {"name": "p"}}).spec
    rules = spec.repartition
    assert (rules.enabled, rules.approval, rules.max_parallel_nodes, rules.cooldown) == (False, "Manual", 1, "10m")
    assert (spec.validated_only, spec.when_full, spec.on_unhealthy, spec.binding) == (True, "Wait", "Report", None)
    assert [(c.name, c.rank, c.weight, c.starvation_after) for c in spec.qos_classes] == [
        ("realtime", 0, 8, "1s"),
        ("standard", 1, 4, "10s"),
        ("batch", 2, 1, "60s"),
    ]


def test_a_claim_is_pending_until_somebody_says_otherwise() -> None:
    claim = GPUPartitionClaim.model_validate(CLAIM)
    assert claim.spec.pod_ref is not None
    assert (claim.status.phase, claim.spec.pod_ref.uid, claim.spec.requirement.count) == ("Pending", "u-1", 1)


def test_a_node_is_managed_and_not_paused() -> None:
    node = GPUNode.model_validate({"metadata": {"name": "n"}})
    assert (node.spec.managed, node.spec.paused, node.status.gpus) == (True, False, [])


def test_sizing_shows_its_total_rounded_up() -> None:
    figures = dict.fromkeys(["weightsBytes", "kvCacheBytes", "overheadBytes", "kvBytesPerToken"], 1)
    sizing = SizingResult.model_validate(
        figures | {"totalBytes": 24 * 1024**3 + 1, "precision": "fp8", "maxModelLen": 1, "maxConcurrency": 1}
    )
    assert sizing.memory == "24577Mi"


def test_descriptions_name_the_figures_that_sizing_takes() -> None:
    said = {name: field.description or "" for name, field in Model.model_fields.items()}
    assert f"or {DEFAULT_MODEL_LEN} where that is less" in said["max_model_len"]
    assert said["max_concurrency"].endswith(f"absent: {DEFAULT_CONCURRENCY}.")


def test_a_service_can_ask_for_every_precision_that_sizing_knows() -> None:
    assert list(map(str, Precision)) == list(map(str, SizingPrecision))
    assert list(map(str, ResolvedPrecision)) == [one for one in map(str, SizingPrecision) if one != "auto"]


@pytest.mark.parametrize("model", [kind.versions["v1beta1"].model for kind in KINDS], ids=[kind.name for kind in KINDS])
def test_a_kind_names_itself(model: type[KubernetesObject]) -> None:
    fields = model.model_fields
    assert (fields["api_version"].default, fields["kind"].default) == (API_VERSION, model.__name__)


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param({"model": {"id": "m", "precision": "fp12"}}, "precision", id="a precision nobody has"),
        pytest.param({"model": {"id": "m"}, "replicas": -1}, "replicas", id="less than no replica"),
        pytest.param({"model": {"id": ""}}, "id", id="an empty model id"),
        pytest.param({"model": {"id": "m"}, "gpuSharing": {"partition": {"mode": "cpx_nps4"}}}, "mode", id="mode"),
        pytest.param({"model": {"id": "m"}, "gpuSharing": {"partition": {"minMemory": "24GB"}}}, "minMemory", id="GB"),
    ],
)
def test_a_bad_value_is_refused_offline_too(spec: dict[str, Any], want: str) -> None:
    with pytest.raises(ValidationError, match=want):
        InferenceService.model_validate({"spec": spec})
