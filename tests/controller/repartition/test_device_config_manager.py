import pytest

from controller.repartition.device_config_manager import dcm_managed


@pytest.mark.parametrize(
    ("key", "want"),
    [
        pytest.param("dcm.amd.com/gpu-config-profile", True, id="a profile is asked for"),
        pytest.param("dcm.amd.com/gpu-config-profile-state", True, id="a profile was applied"),
        pytest.param("dcm.amd.com/apply-gpu-config-profile", True, id="its trigger"),
        pytest.param("amd.com/gpu.family", False, id="the labeller's"),
        pytest.param("aim.amd.com/managed", False, id="ours"),
    ],
)
def test_a_label_of_its_domain_makes_a_node_the_device_config_managers(key: str, want: bool) -> None:
    assert dcm_managed({"kubernetes.io/os": "linux", key: "cpx"}) is want


def test_a_node_without_labels_is_nobodys() -> None:
    assert not dcm_managed({})
