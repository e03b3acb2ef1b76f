import pytest

from api.quantity import format_bytes
from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim.admit import Need, need_of
from controller.reconcilers.gpu_partition_claim.fitting import outdated
from controller.translate.pod import pod_view
from tests.builders.claim import claim
from tests.builders.pod import typed_pod
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import SIZING


@pytest.mark.parametrize(
    ("precision", "want"),
    [
        pytest.param("fp16", False, id="the same"),
        pytest.param("bf16", True, id="another one, of the same size"),
        pytest.param(None, False, id="none: it was made before claims named one"),
    ],
)
def test_a_claim_is_outdated_by_another_precision(precision: str | None, want: bool) -> None:
    need = need_of(pod_view(typed_pod(annotations=SMALL | {"aim.amd.com/precision": "fp16"})), SIZING)
    assert isinstance(need, Need)
    asked = GPUPartitionClaim.model_validate(claim(memory=format_bytes(need.sizing.total_bytes), precision=precision))
    assert outdated(asked, need, None, 1) is want
