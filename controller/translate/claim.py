"""GPUPartitionClaims, as placement and moves read them."""

from api.v1beta1 import GPUPartitionClaim
from controller.sizing.precision import Precision


def precision_of(claim: GPUPartitionClaim) -> Precision | None:
    """The precision in which the claim's model is served; None for a claim that names none, which goes on any GPU."""
    asked = claim.spec.requirement.precision
    return None if asked is None else Precision(asked.value)
