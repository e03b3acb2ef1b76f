import pytest

from api.v1beta1 import GPUPartitionClaim
from controller.sizing.precision import Precision
from controller.translate.claim import precision_of
from tests.builders.claim import claim


@pytest.mark.parametrize(
    ("written", "want"),
    [
        pytest.param("mxfp4", Precision.MXFP4, id="the one it names"),
        pytest.param(None, None, id="one made before claims named any"),
    ],
)
def test_the_precision_of_a_claim(written: str | None, want: Precision | None) -> None:
    assert precision_of(GPUPartitionClaim.model_validate(claim(precision=written))) is want
