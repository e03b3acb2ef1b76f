import pytest

from controller.agent.kubelet_plugins.device_choice import preferred

GPU_OF = {"a0": "a", "a1": "a", "a2": "a", "b0": "b", "b1": "b", "c0": "c"}


@pytest.mark.parametrize(
    ("must", "size", "want"),
    [
        pytest.param([], 1, ["c0"], id="the GPU with the least left"),
        pytest.param([], 2, ["b0", "b1"], id="the smallest rest that is enough"),
        pytest.param([], 3, ["a0", "a1", "a2"], id="all of one GPU"),
        pytest.param([], 4, ["a0", "a1", "a2", "c0"], id="the largest, and then the smallest that is enough"),
        pytest.param(["a2"], 2, ["a2", "a0"], id="the GPU of what is given already"),
        pytest.param(["c0"], 2, ["c0", "b0"], id="another GPU where that one has no more"),
        pytest.param(["b0", "b1"], 2, ["b0", "b1"], id="what is given already is enough"),
        pytest.param([], 9, ["a0", "a1", "a2", "b0", "b1", "c0"], id="fewer where there are no more"),
        pytest.param(["x0"], 1, ["c0"], id="a device that is not there is not given"),
        pytest.param([], 0, [], id="nothing"),
    ],
)
def test_the_devices_that_are_preferred(must: list[str], size: int, want: list[str]) -> None:
    assert preferred(GPU_OF, must, size) == want
