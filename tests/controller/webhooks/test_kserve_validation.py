from collections.abc import Mapping
from typing import Any

import pytest

from api.group import ASSIGNED_NODE, GPU_SHARING, MAX_MODEL_LEN, MODEL_ID, MODEL_PROFILE, POLICY, PRECISION, QOS_CLASS
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from controller.webhooks.kserve_validation import KServeValidator
from tests.builders.gpu import gpu
from tests.builders.policy import policy_object
from tests.controller.webhooks.ground import Ground, Object

SIZING = Models(Catalog.bundled())
GOOD = {GPU_SHARING: "true", MODEL_ID: "Qwen/Qwen3-8B"}
UNCOPIED = {GPU_SHARING: "true", MODEL_ID: "allenai/OLMo-2-0325-32B-Instruct", PRECISION: "fp8"}
POLICIES = (
    policy_object("gold", namespace_labels={"team": "a"}),
    policy_object("others", namespace_labels={"team": "b"}),
)


def kserve(
    annotations: Mapping[str, str] | None = None, predictor: Mapping[str, str] | None = None, **spec: Any
) -> Object:
    """KServe's InferenceService with a predictor of its own container."""
    own = {} if predictor is None else {"annotations": dict(predictor)}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "chat", "namespace": "team-a"} | ({} if annotations is None else {"annotations": dict(annotations)}),
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}], **own}, **spec},
    }  # fmt: skip


def validator(ground: Ground) -> KServeValidator:
    return KServeValidator(ground.cluster, SIZING)


async def warnings(obj: Object, old: Object | None = None) -> tuple[str, ...]:
    ground = Ground(policies=POLICIES)
    given = await ground.ask(validator(ground), obj, old)
    assert given.allowed, "KServe's objects are never refused"
    return given.warnings


WARNED = [
    pytest.param(kserve(GOOD | {"aim.amd.com/maxModelLen": "4096"}), ["aim.amd.com/maxModelLen", "4096", "did you mean aim.amd.com/max-model-len?"], id="a misspelt key"),
    pytest.param(kserve({"aim-amd.com/gpu-sharing": "true"}), ["aim-amd.com/gpu-sharing", "did you mean aim.amd.com/gpu-sharing?"], id="a misspelt domain"),
    pytest.param(kserve({}, GOOD | {"aim.amd.com/modelId": "x"}), ["spec.predictor.annotations aim.amd.com/modelId", "model-id"], id="a misspelt key of the predictor"),
    pytest.param(kserve(GOOD | {PRECISION: "fp9"}), [PRECISION, "fp9", "choose one of"], id="a precision that does not exist"),
    pytest.param(kserve(GOOD, {MAX_MODEL_LEN: "8k"}), [f"spec.predictor.annotations {MAX_MODEL_LEN}", "8k", "write e.g. 8192"], id="a wrong value of the predictor"),
    pytest.param(kserve(GOOD | {GPU_SHARING: "yes"}), [GPU_SHARING, "yes", '"true" or "false"'], id="an opt-in that is no choice"),
    pytest.param(kserve(GOOD | {MODEL_ID: "Qwen/Qwen3-9B"}), [MODEL_ID, "Qwen/Qwen3-9B", "Qwen/Qwen3-8B"], id="a model that nobody knows"),
    pytest.param(kserve(GOOD | {MODEL_PROFILE: "nosuch"}), [MODEL_PROFILE, "nosuch", "create it"], id="no such profile"),
    pytest.param(kserve(GOOD | {MAX_MODEL_LEN: "99999"}), [MAX_MODEL_LEN, "99999", "use at most 40960"], id="longer than the model's positions"),
    pytest.param(kserve(GOOD | {POLICY: "nosuch"}), [POLICY, "nosuch", "is no GPUSharingPolicy", "choose gold, or leave it out"], id="no such policy"),
    pytest.param(kserve(GOOD | {POLICY: "others"}), [POLICY, "others", "does not select namespace team-a", "choose gold"], id="a policy for other namespaces"),
    pytest.param(kserve(GOOD | {QOS_CLASS: "golden"}), [QOS_CLASS, "golden", "policy gold", "realtime, standard, batch"], id="no such class"),
    pytest.param(kserve(GOOD | {ASSIGNED_NODE: "n"}), [ASSIGNED_NODE, "written by the operator alone", "remove it"], id="an assignment"),
    pytest.param(kserve({MODEL_ID: "Qwen/Qwen3-8B"}), [MODEL_ID, "does nothing without aim.amd.com/gpu-sharing"], id="wishes without the opt-in"),
    pytest.param(kserve(UNCOPIED), [PRECISION, "'fp8'", "assumes that 16-bit weights are quantized", "or a copy in fp8"], id="fp8 that an engine must make"),
    pytest.param(kserve(GOOD, transformer={"containers": []}), [GPU_SHARING, "pods of the transformer too", "spec.predictor.annotations"], id="an opt-in that reaches the transformer"),
]  # fmt: skip


@pytest.mark.parametrize(("obj", "want_words"), WARNED)
async def test_what_our_annotations_say_wrong_is_warned_about(obj: Object, want_words: list[str]) -> None:
    (warning,) = await warnings(obj)
    assert all(word in warning for word in want_words), warning


async def test_a_precision_that_no_gpu_here_serves_is_warned_about() -> None:
    asked = kserve(GOOD, {PRECISION: "fp8"})
    for product, want in (("MI210", 1), ("MI300X", 0)):
        ground = Ground(policies=POLICIES, nodes={"n": [gpu(mode="SPX/NPS1", product=product)]})
        given = await ground.ask(validator(ground), asked)
        assert given.allowed
        assert len(given.warnings) == want
        for warning in given.warnings:
            assert warning.startswith(f"spec.predictor.annotations {PRECISION}: 'fp8' waits: no GPU here (MI210)")


SILENT = [
    pytest.param(kserve(), id="no annotations at all"),
    pytest.param(kserve({"team": "a", "serving.kserve.io/deploymentMode": "Standard"}), id="others' annotations"),
    pytest.param(kserve(GOOD), id="a good request"),
    pytest.param(kserve({}, GOOD), id="a good request on the predictor"),
    pytest.param(kserve({GPU_SHARING: "false", PRECISION: "fp9"}), id="opted out"),
    pytest.param(kserve(GOOD | {PRECISION: "fp9"}, {PRECISION: "fp8"}), id="the predictor's value wins on the pods"),
    pytest.param(kserve(GOOD, transformer={"annotations": {GPU_SHARING: "false"}}), id="the transformer opts out"),
    pytest.param(kserve({}, GOOD, transformer={}), id="the predictor alone opts in"),
    pytest.param({"metadata": {"annotations": None}, "spec": {"predictor": {"annotations": None}}}, id="nulls"),
    pytest.param({"metadata": {}}, id="no spec"),
]  # fmt: skip


@pytest.mark.parametrize("obj", SILENT)
async def test_nothing_is_said_about(obj: Object) -> None:
    assert await warnings(obj) == ()


async def test_all_problems_are_told_at_once_and_each_once() -> None:
    bad = {"aim.amd.com/modelId": "x", PRECISION: "fp9", MAX_MODEL_LEN: "8k", POLICY: "nosuch"}
    told = await warnings(kserve({GPU_SHARING: "true", **bad}, bad))
    assert len(told) == len(set(told)) == 5  # one of them: no model is named


async def test_an_update_that_leaves_annotations_alone_is_not_judged() -> None:
    old = kserve(GOOD | {PRECISION: "fp9"})
    assert await warnings({**old, "spec": {**old["spec"], "transformer": {}}}, old) == ()
    assert len(await warnings(old, kserve(GOOD))) == 1


async def test_what_is_on_its_way_out_is_not_judged() -> None:
    bad = kserve(GOOD | {PRECISION: "fp9"})
    bad["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert await warnings(bad, kserve(GOOD)) == ()
    ground = Ground()
    assert (await ground.ask(validator(ground), None, bad, operation="DELETE")).allowed


async def test_with_caches_still_empty_no_policy_is_called_missing() -> None:
    ground = Ground(synced=False)
    given = await ground.ask(validator(ground), kserve(GOOD | {POLICY: "gold"}))
    assert given.warnings == ()
