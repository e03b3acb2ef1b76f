import pytest

from controller.runtime.objects.pod import PodSpec
from controller.translate.plugin_devices import plugin_devices
from tests.builders.plugin import CPX
from tests.builders.pod import container, pod_spec

GPU = {"amd.com/gpu": "1"}


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param(pod_spec(container(limits={"cpu": "1"})), {}, id="none"),
        pytest.param(pod_spec(container(limits={"amd.com/gpu": "0"})), {}, id="none, said with a number"),
        pytest.param(pod_spec(container(limits=GPU), container("b", limits=GPU)), {"amd.com/gpu": 2}, id="they add up"),
        pytest.param(
            pod_spec(container(limits=GPU), initContainers=[container("i", limits=GPU)]),
            {"amd.com/gpu": 1},
            id="an init container's device is used again",
        ),
        pytest.param(
            pod_spec(container(limits=GPU), initContainers=[container("i", limits=GPU, restartPolicy="Always")]),
            {"amd.com/gpu": 2},
            id="a sidecar keeps its own",
        ),
        pytest.param(
            pod_spec(container(limits=GPU), initContainers=[container("i", limits={"amd.com/gpu": "4"})]),
            {"amd.com/gpu": 4},
            id="a larger init container",
        ),
        pytest.param(
            pod_spec(container(limits=GPU), container("b", limits={CPX: "1"})),
            {"amd.com/gpu": 1, CPX: 1},
            id="of two names",
        ),
    ],
)
def test_devices_are_counted_as_the_scheduler_does(spec: PodSpec, want: dict[str, int]) -> None:
    assert plugin_devices(spec) == want
