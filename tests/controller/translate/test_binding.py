import pytest

from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_partition_claim import Binding
from controller.translate.binding import binding_of
from tests.builders.policy import policy_object


@pytest.mark.parametrize(
    ("binding", "served", "want"),
    [
        pytest.param("none", True, "DRA", id="no policy"),
        pytest.param("none", False, "DevicePlugin", id="no policy, no ResourceClaims"),
        pytest.param(None, True, "DRA", id="a policy that leaves it open"),
        pytest.param("DRA", True, "DRA", id="a policy for ResourceClaims"),
        pytest.param("DevicePlugin", True, "DevicePlugin", id="a policy for the device plugin"),
        pytest.param("DRA", False, "DevicePlugin", id="what is not served cannot be had"),
        pytest.param("DevicePlugin", False, "DevicePlugin", id="the device plugin without ResourceClaims"),
    ],
)
def test_how_pods_get_their_gpus(binding: str | None, served: bool, want: str) -> None:
    made = policy_object()
    made["spec"] |= {} if binding in (None, "none") else {"binding": binding}
    policy = None if binding == "none" else GPUSharingPolicy.model_validate(made)
    assert binding_of(policy, dra_served=served) is Binding(want)
