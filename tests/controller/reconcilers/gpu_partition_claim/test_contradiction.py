import pytest

from controller.reconcilers.gpu_partition_claim.contradiction import contradiction
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.translate.pod import PodView, pod_view
from tests.builders.inference_service import inference_service
from tests.builders.plugin import CPX, plugin_pod
from tests.builders.pod import pod

QOS = "aim.amd.com/qos-class"
SERVICE = inference_service(gpuSharing={"policyRef": "gold"}, qos={"class": "fast"})


def view(annotations: dict[str, str]) -> PodView:
    return pod_view(typed(pod(annotations=annotations), Pod))


@pytest.mark.parametrize(
    ("annotations", "policy", "service"),
    [
        pytest.param({QOS: "any"}, "any", None, id="a pod of no service"),
        pytest.param({QOS: "fast"}, "gold", SERVICE, id="both as the service says"),
        pytest.param({}, None, inference_service(), id="neither side says anything"),
        pytest.param({QOS: ""}, None, inference_service(), id="an empty class is none"),
    ],
)
def test_what_agrees_passes(annotations: dict[str, str], policy: str | None, service: object) -> None:
    assert contradiction(view(annotations), policy, service) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("annotations", "policy", "want_words"),
    [
        pytest.param(
            {QOS: "fast"},
            "silver",
            ["aim.amd.com/policy: 'silver'", "spec.gpuSharing.policyRef 'gold'", "InferenceService chat"],
            id="another policy",
        ),
        pytest.param({QOS: "fast"}, None, ["aim.amd.com/policy: ''", "'gold'"], id="no policy"),
        pytest.param({QOS: "realtime"}, "gold", ["qos-class: 'realtime'", "spec.qos.class 'fast'"], id="another class"),
    ],
)
def test_what_differs_is_named_with_both_values(
    annotations: dict[str, str], policy: str | None, want_words: list[str]
) -> None:
    found = contradiction(view(annotations), policy, SERVICE)
    assert found is not None
    assert found[0] == "ServiceMismatch"
    for words in want_words:
        assert words in found[1]


@pytest.mark.parametrize(("asked", "want"), [("1", True), ("2", False)])
def test_a_pod_of_the_device_plugin_asks_for_as_many_devices_as_its_service(asked: str, want: bool) -> None:
    made = plugin_pod()
    made["spec"]["containers"][0]["resources"]["limits"] = {CPX: asked}
    found = contradiction(pod_view(typed(made, Pod)), None, inference_service(gpuSharing={"partition": {"count": 2}}))
    assert (found is not None and CPX in found[1] and "partition.count 2" in found[1]) is want
