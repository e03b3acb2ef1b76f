"""What needs other objects is refused or warned about by the running operator, through a real API server."""

from typing import Any

import pytest

from e2e.run.errors import InstallError
from e2e.run.install import kubectl
from tests.integration.operator.running import opt_in, pod, service
from tests.integration.webhooks.conftest import AIM, Answer, Asker, Object

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

SMALL = {"id": "Qwen/Qwen3-4B"}
LARGE = {"id": "meta-llama/Llama-3.3-70B-Instruct", "precision": "bf16"}
HUGE = {"id": "deepseek-ai/DeepSeek-R1", "precision": "fp8"}

REFUSED = [
    pytest.param({"model": {"id": "Qwen/Qwen3-9B"}}, ["spec.model.id", "Qwen/Qwen3-9B", "did you mean", "Qwen/Qwen3-8B"], id="unknown model"),
    pytest.param({"model": {"id": "Qwen/Qwen3-8B-finetuned"}}, ["spec.model.id", "Qwen/Qwen3-8B-finetuned", "Qwen/Qwen3-8B"], id="a fine-tune is another model"),
    pytest.param({"model": {"id": "openai/gpt-oss-20b", "precision": "int4"}}, ["spec.model.precision", "int4", "use auto or one of mxfp4"], id="precision"),
    pytest.param({"model": {"id": "Qwen/Qwen3-8B", "maxModelLen": 99999}}, ["spec.model.maxModelLen", "99999", "use at most 40960"], id="length"),
    pytest.param({"model": SMALL, "gpuSharing": {"policyRef": "nosuch"}}, ["spec.gpuSharing.policyRef", "nosuch", "choose gold"], id="no such policy"),
    pytest.param({"model": SMALL, "gpuSharing": {"policyRef": "others"}}, ["spec.gpuSharing.policyRef", "others", "does not select namespace", "choose gold"], id="a policy of others"),
    pytest.param({"model": SMALL, "qos": {"class": "secret"}}, ["spec.qos.class", "secret", "choose one of realtime, standard, batch"], id="a class of others"),
    pytest.param({"model": SMALL, "qos": {"class": "gold"}, "gpuSharing": {"policyRef": "gold"}}, ["spec.qos.class", "gold", "is no class of policy gold", "realtime"], id="no class of the policy"),
    pytest.param({"model": HUGE}, ["spec.model.id", "deepseek-ai/DeepSeek-R1", "GiB for 8 sequences of 8192 tokens", "TooLargeForAnyGPU"], id="too large"),
    pytest.param({"model": {"id": "Qwen/Qwen3-8B", "maxModelLen": 40960, "maxConcurrency": 512}}, ["spec.model.id", "Qwen/Qwen3-8B", "it fits with spec.model.maxConcurrency 16 or with spec.model.maxModelLen 1280"], id="too much cache"),
    pytest.param({"model": SMALL, "gpuSharing": {"partition": {"minMemory": "200Gi"}}}, ["spec.gpuSharing.partition.minMemory", "200Gi", "lower it"], id="too much asked"),
    pytest.param({"model": LARGE, "gpuSharing": {"partition": {"mode": "CPX/NPS4"}}}, ["spec.gpuSharing.partition.mode", "CPX/NPS4", "choose SPX/NPS1"], id="too small a mode"),
    pytest.param({"model": {"id": "Qwen/Qwen3-9B"}, "gpuSharing": {"policyRef": "nosuch"}}, ["spec.model.id", "did you mean", "spec.gpuSharing.policyRef", "choose gold"], id="model and policy at once"),
    pytest.param({"model": HUGE, "qos": {"class": "gold"}}, ["spec.qos.class", "choose one of realtime", "spec.model.id", "another model"], id="class and size at once"),
]  # fmt: skip


def check_refused(answer: Answer, want_words: list[str]) -> None:
    assert answer.status == 422, answer
    assert 'admission webhook "inference-service.aim.amd.com" denied the request' in answer.message
    assert all(word in answer.message for word in want_words), answer.message


@pytest.mark.parametrize(("spec", "want_words"), REFUSED)
def test_a_bad_service_is_refused_with_field_value_and_remedy(
    asker: Asker, spec: Object, want_words: list[str]
) -> None:
    check_refused(asker.create_service(spec), want_words)


REFUSED_FLAT = [
    pytest.param({"modelId": "Qwen/Qwen3-9B"}, ["spec.modelId", "Qwen/Qwen3-9B", "did you mean", "Qwen/Qwen3-8B"], id="unknown model"),
    pytest.param({"modelId": "Qwen/Qwen3-4B", "policy": "others"}, ["spec.policy", "others", "does not select namespace"], id="a policy of others"),
    pytest.param({"modelId": "meta-llama/Llama-3.3-70B-Instruct", "precision": "bf16", "partition": "CPX/NPS4"}, ["spec.partition:", "CPX/NPS4", "choose SPX/NPS1"], id="too small a mode"),
    pytest.param({"modelId": "Qwen/Qwen3-4B", "memoryGB": "200"}, ["spec.memoryGB: '200'", "lower it"], id="too much asked"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "want_words"), REFUSED_FLAT)
def test_the_flat_version_is_judged_as_well_and_told_in_its_own_fields(
    asker: Asker, spec: Object, want_words: list[str]
) -> None:
    check_refused(asker.create_service(spec, version="v1alpha1"), want_words)


def check_warned(answer: Answer, want_words: list[str]) -> None:
    assert answer.accepted, answer
    assert len(answer.warnings) == 1
    assert all(word in answer.warnings[0] for word in want_words), answer.warnings


SERVICE_WARNINGS = [
    pytest.param({"model": SMALL | {"precision": "int8"}}, ["spec.model.precision", "int8", "no known checkpoint of Qwen/Qwen3-4B", "AIM_MODEL_ID"], id="no weights are known"),
    pytest.param({"model": SMALL, "gpuSharing": {"partition": {"mode": "TPX/NPS1"}}}, ["spec.gpuSharing.partition.mode", "TPX/NPS1", "choose one of CPX/NPS1"], id="a mode of other products"),
    pytest.param({"model": SMALL, "qos": {"guarantees": {"minConcurrency": 9}}}, ["spec.qos.guarantees.minConcurrency", "9", "the 8 requests that memory is reserved for"], id="more guaranteed than memory is reserved for"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "want_words"), SERVICE_WARNINGS)
def test_a_doubtful_service_is_warned_about(asker: Asker, spec: Object, want_words: list[str]) -> None:
    check_warned(asker.create_service(spec), want_words)


ALONE: Object = {"nodeSelector": {"matchLabels": {"no": "where"}}}
POLICY_WARNINGS = [
    pytest.param({}, ["spec.nodeSelector", "selects 1 of 1 nodes that the older policy gold governs", "delete gold"], id="overlap"),
    pytest.param(ALONE, ["spec.nodeSelector", "no=where", "selects none of the 1 managed GPU nodes"], id="no node"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "want_words"), POLICY_WARNINGS)
def test_a_doubtful_policy_is_warned_about(asker: Asker, spec: Object, want_words: list[str]) -> None:
    check_warned(asker.create_policy(spec), want_words)


def test_every_doubt_about_a_policy_is_told(asker: Asker) -> None:
    answer = asker.create_policy(
        {
            "namespaceSelector": {"matchLabels": {"team": "nobody"}},
            "allowedModes": ["TPX/NPS1"],
            "quotas": [{"namespace": "nowhere", "max": "1Gi"}],
            "callers": [{"namespace": "nowhere", "keys": [{"name": "CI_1", "ceiling": "gold"}]}],
        }
    )
    assert answer.accepted, answer
    fields = [warning.partition(":")[0] for warning in answer.warnings]
    selectors = ["spec.namespaceSelector", "spec.nodeSelector"]
    callers = ["spec.callers[0].namespace", "spec.callers[0].keys[0].ceiling"]
    assert fields == [*selectors, "spec.allowedModes", "spec.quotas[0].namespace", *callers]


GOOD = opt_in("Qwen/Qwen3-8B")
KSERVE_WARNINGS = [
    pytest.param(GOOD | {"aim.amd.com/modelId": "x"}, None, ["aim.amd.com/modelId", "x", "did you mean aim.amd.com/model-id?"], id="key"),
    pytest.param({"aim-amd.com/gpu-sharing": "true"}, None, ["aim-amd.com/gpu-sharing", "did you mean aim.amd.com/gpu-sharing?"], id="domain"),
    pytest.param({}, GOOD | {"aim.amd.com/precision": "fp9"}, ["spec.predictor.annotations aim.amd.com/precision", "fp9", "choose one of"], id="value on the predictor"),
    pytest.param(opt_in("Qwen/Qwen3-9B"), None, ["aim.amd.com/model-id", "Qwen/Qwen3-9B", "did you mean", "Qwen/Qwen3-8B"], id="model"),
    pytest.param(GOOD | {"aim.amd.com/policy": "others"}, None, ["aim.amd.com/policy", "others", "choose gold"], id="policy"),
    pytest.param(GOOD | {"aim.amd.com/qos-class": "secret"}, None, ["aim.amd.com/qos-class", "secret", "realtime, standard, batch"], id="class"),
]  # fmt: skip


@pytest.mark.parametrize(("annotations", "predictor", "want_words"), KSERVE_WARNINGS)
def test_kserves_services_are_warned_about_and_never_refused(
    asker: Asker, annotations: dict[str, str], predictor: dict[str, str] | None, want_words: list[str]
) -> None:
    check_warned(asker.create_kserve(annotations, predictor), want_words)


def test_a_pods_misspelt_key_is_warned_about(asker: Asker) -> None:
    answer = asker.send("POST", asker.cluster.pods_path, pod("asked", GOOD | {"aim.amd.com/maxModelLen": "4096"}))
    check_warned(answer, ["aim.amd.com/maxModelLen", "4096", "did you mean aim.amd.com/max-model-len?"])


def test_what_is_right_passes_without_a_word(asker: Asker) -> None:
    for answer in (
        asker.create_service({"model": LARGE, "gpuSharing": {"policyRef": "gold"}, "qos": {"class": "batch"}}),
        asker.create_service({"modelId": "Qwen/Qwen3-4B", "qosLevel": "high"}, version="v1alpha1"),
        asker.create_service({"model": {"id": "openai/gpt-oss-20b", "precision": "mxfp4"}}),
        asker.create_kserve(GOOD),
        asker.create_kserve({"team": "a"}),
        asker.send("POST", asker.cluster.pods_path, pod("asked", GOOD)),
    ):
        assert (answer.accepted, answer.warnings) == (True, ()), answer


def test_kubectl_shows_the_refusal(asker: Asker) -> None:
    text = f"""
      apiVersion: aim.amd.com/v1beta1
      kind: InferenceService
      metadata: {{name: asked, namespace: {asker.namespace}}}
      spec: {{model: {{id: Qwen/Qwen3-9B}}}}
    """
    with pytest.raises(InstallError, match=r"is not in the catalogue: did you mean .*Qwen/Qwen3-8B"):
        kubectl(asker.plane, "create", "--dry-run=server", "-f", "-", text=text)


def keep(asker: Asker, name: str, **spec: Any) -> str:
    """A service without replicas that is stored; gives its path."""
    path = f"{AIM}/v1beta1/namespaces/{asker.namespace}/inferenceservices"
    answer = asker.send("POST", path, service(name, SMALL["id"], replicas=0, **spec), dry_run=False)
    assert answer.accepted, answer
    return f"{path}/{name}"


async def test_only_a_changed_spec_is_sent_to_us(asker: Asker) -> None:
    path = keep(asker, "kept")

    async def reviews() -> int:
        lines = (await asker.cluster.metrics(asker.cluster.operator)).splitlines()
        ours = [line for line in lines if "webhook_requests_total{" in line and "/validate-inference-service" in line]
        return round(sum(float(line.rpartition(" ")[2]) for line in ours))

    before = await reviews()
    for change in ({"labels": {"a": "b"}}, {"annotations": {"aim.amd.com/modelId": "x"}}):
        assert asker.send("PATCH", path, {"metadata": change}, dry_run=False).accepted
    assert asker.send("PATCH", f"{path}/status", {"status": {"url": "http://x"}}, dry_run=False).accepted
    assert await reviews() == before
    # a review is repeated when somebody writes in between, as the operator does that mends its status
    asker.plane.wait_until(lambda: asker.plane.admin.get(path)["status"]["url"] != "http://x", "the status is mended")
    assert asker.send("PATCH", path, {"spec": {"maxReplicas": 3}}, dry_run=False).accepted
    assert await reviews() == before + 1


def test_a_deleted_policy_does_not_hold_up_what_relied_on_it(asker: Asker) -> None:
    path = keep(asker, "orphan", gpuSharing={"policyRef": "gold"})
    asker.plane.admin.delete(f"{AIM}/v1beta1/gpusharingpolicies/gold")

    def scaled() -> tuple[str, ...]:
        answer = asker.send("PATCH", path, {"spec": {"replicas": 1}})
        assert answer.accepted, answer
        return answer.warnings

    asker.plane.wait_until(lambda: any("'gold' is no GPUSharingPolicy" in text for text in scaled()), "gold is gone")


async def test_with_the_operator_down_nobody_is_held_up(asker: Asker) -> None:
    await asker.cluster.operator.kill()
    assert asker.create_service({"model": {"id": "Qwen/Qwen3-9B"}}).accepted
    assert asker.create_policy({"allowedModes": ["TPX/NPS1"]}).accepted
    assert asker.create_kserve({"aim.amd.com/modelId": "x"}).accepted
