import pytest

from api.object import dump
from api.quantity import parse_quantity
from api.v1beta1 import InferenceService
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, claim_for, count_of, need_of
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.translate.pod import PodView, pod_view
from tests.builders.inference_service import inference_service
from tests.builders.plugin import CPX, plugin_pod
from tests.builders.pod import typed_pod
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import SIZING


def view(**annotations: str) -> PodView:
    wishes = {f"aim.amd.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return pod_view(typed_pod(annotations=SMALL | wishes))


def test_a_need_is_the_sizing_of_what_was_asked() -> None:
    need = need_of(view(precision="bf16", max_model_len="4096", max_concurrency="2"), SIZING)
    assert isinstance(need, Need)
    assert (need.sizing.precision, need.sizing.max_model_len, need.sizing.max_concurrency) == ("bf16", 4096, 2)


@pytest.mark.parametrize(
    ("annotations", "want_reason"),
    [
        pytest.param({"model_id": "no/such"}, "UnknownModel", id="an unknown model"),
        pytest.param({"precision": "mxfp4"}, "UnsupportedPrecision", id="a precision it has not got"),
        pytest.param({"max_model_len": "999999"}, "LengthTooLong", id="too long"),
        pytest.param({"max_concurrency": "70000"}, "OutOfRange", id="too many"),
        pytest.param({"max_concurrency": "x"}, "InvalidRequest", id="malformed"),
    ],
)
def test_what_cannot_be_sized_names_the_annotation_and_its_value(annotations: dict[str, str], want_reason: str) -> None:
    ((field, value),) = annotations.items()
    need = need_of(view(**annotations), SIZING)
    assert isinstance(need, Unsized)
    assert need.reason == want_reason
    assert need.message.startswith(f"aim.amd.com/{field.replace('_', '-')}: {value!r} ")


def test_the_claim_is_the_pods_own_and_says_what_it_needs() -> None:
    made = view(partition_mode="CPX/NPS4", policy="gold", precision="fp8")
    need = need_of(made, SIZING)
    assert isinstance(need, Need)
    claim = dump(claim_for(made, "aim-a", need, None))
    (owner,) = claim["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Pod", made.uid, True)
    assert claim["spec"]["podRef"] == {"name": "model-0", "uid": "uid-model-0"}
    assert parse_quantity(claim["spec"]["requirement"]["memory"]) == need.sizing.total_bytes
    assert claim["spec"]["requirement"]["modes"] == ["CPX/NPS4"]
    assert claim["spec"]["requirement"]["precision"] == "fp8"
    assert (claim["spec"]["policyRef"], claim["spec"]["model"]["id"]) == ("gold", "Qwen/Qwen3-4B")


@pytest.mark.parametrize(
    ("labels", "want"),
    [
        pytest.param({"aim.amd.com/inference-service": "chat"}, "chat", id="a service's"),
        pytest.param({"serving.kserve.io/inferenceservice": "chat", "app": "x"}, "chat", id="a KServe service's"),
        pytest.param({"app": "x"}, None, id="nobody's"),
    ],
)
def test_the_claim_is_labelled_with_the_service_of_its_pod(labels: dict[str, str], want: str | None) -> None:
    asking = pod_view(typed_pod(annotations=SMALL, metadata={"labels": labels}))
    metadata = dump(claim_for(asking, "aim-a", need_of(asking, SIZING), None))["metadata"]
    assert metadata.get("labels") == (None if want is None else {"aim.amd.com/inference-service": want})


@pytest.mark.parametrize(
    ("labels", "name", "want"),
    [
        pytest.param({}, "drafts-7d9f8", "drafts", id="a Deployment's"),
        pytest.param(
            {"serving.kserve.io/inferenceservice": "chat"}, "drafts-7d9f8", "chat", id="a service's of KServe"
        ),
        pytest.param({}, f"{63 * 'a'}-7d9f8", 63 * "a", id="the longest that a label takes"),
        pytest.param({}, f"{64 * 'a'}-7d9f8", None, id="longer than a label may be"),
    ],
)
def test_the_claim_of_no_services_pod_is_labelled_with_its_workload(
    labels: dict[str, str], name: str, want: str | None
) -> None:
    owners = [{"kind": "ReplicaSet", "name": name, "uid": "2", "controller": True}]
    made = {"labels": labels | {"pod-template-hash": "7d9f8"}, "ownerReferences": owners}
    asking = pod_view(typed_pod(annotations=SMALL, metadata=made))
    metadata = dump(claim_for(asking, "aim-a", need_of(asking, SIZING), None))["metadata"]
    assert metadata.get("labels") == (None if want is None else {"aim.amd.com/inference-service": want})


def test_a_claim_without_sizing_carries_no_memory() -> None:
    claim = dump(claim_for(view(), "aim-a", Unsized("UnknownModel", "no"), None))
    assert not {"memory", "precision"} & set(claim["spec"]["requirement"])
    assert "model" not in claim["spec"]


@pytest.mark.parametrize(
    ("least", "want"),
    [
        pytest.param("1Gi", None, id="less than the model needs"),
        pytest.param("64Gi", 64 << 30, id="more than it needs"),
    ],
)
def test_a_service_can_ask_for_more_memory(least: str, want: int | None) -> None:
    service = InferenceService.model_validate(
        {
            "metadata": {"name": "s", "namespace": "team-a"},
            "spec": {"model": {"id": "Qwen/Qwen3-4B"}, "gpuSharing": {"partition": {"minMemory": least}}},
        }
    )
    need = need_of(view(), SIZING)
    assert isinstance(need, Need)
    memory = claim_for(view(), "aim-a", need, service).spec.requirement.memory
    assert memory is not None
    assert parse_quantity(memory) == (want or need.sizing.total_bytes)


def test_a_service_of_several_partitions_is_sized_by_rank() -> None:
    service = inference_service(gpuSharing={"partition": {"count": 2}})
    whole, half = need_of(view(), SIZING), need_of(view(), SIZING, count_of(view(), service))
    assert isinstance(whole, Need)
    assert isinstance(half, Need)
    assert half.sizing.weights_bytes < whole.sizing.weights_bytes
    asked = claim_for(view(), "aim-a", half, service).spec.requirement
    assert (asked.count, parse_quantity(asked.memory or "0")) == (2, half.sizing.total_bytes)


def test_a_pod_keeps_to_what_its_revision_asked_for_while_its_service_asks_for_something_else() -> None:
    service = inference_service(gpuSharing={"partition": {"count": 2, "minMemory": "64Gi"}})
    old = view(partition_count="1")
    need = need_of(old, SIZING, count_of(old, service))
    assert isinstance(need, Need)
    asked = claim_for(old, "aim-a", need, service).spec.requirement
    assert (asked.count, parse_quantity(asked.memory or "0")) == (1, need.sizing.total_bytes)


def test_a_pod_of_no_service_can_ask_for_several_partitions_of_a_size() -> None:
    asking = view(partition_count="4", partition_min_memory="64Gi")
    asked = claim_for(asking, "aim-a", need_of(asking, SIZING, count_of(asking, None)), None).spec.requirement
    assert (asked.count, asked.memory) == (4, "64Gi")


def test_a_pod_of_the_device_plugin_gets_as_many_as_it_asked_for_whatever_its_service_says_by_now() -> None:
    made = plugin_pod()
    made["spec"]["containers"][0]["resources"]["limits"] = {CPX: "4"}
    assert count_of(pod_view(typed(made, Pod)), inference_service()) == 4
